-- purpose: bound what waits for a subscription that is paused, or whose service is away for months
-- needs: subscription
-- makes: notice_beyond

CREATE TABLE notice_beyond (
    subscription_id bigint NOT NULL REFERENCES subscription ON DELETE CASCADE,
    kind text NOT NULL,
    number bigint NOT NULL,
    PRIMARY KEY (subscription_id, kind)
);

COMMENT ON TABLE notice_beyond IS 'how much happened of a kind beyond what is kept as notices: it is told as a number';
