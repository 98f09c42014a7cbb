-- purpose: tell people what happens to targets they asked about: once, in order, whatever is killed
-- needs: tides_master, ruling
-- makes: subscription, subscription_address, target_event, notice, message; the triggers that note events

CREATE TABLE subscription (
    subscription_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    who text NOT NULL,
    kinds text[] NOT NULL CHECK (cardinality(kinds) > 0),
    conditions text[] NOT NULL,
    is_digest boolean NOT NULL,
    is_report boolean NOT NULL CHECK (is_digest OR NOT is_report),
    scheme text NOT NULL,
    muted_until timestamptz,
    is_paused boolean NOT NULL DEFAULT FALSE,
    digested_on date,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE subscription IS 'who is told of what: without the address, so that it may be shown';
COMMENT ON COLUMN subscription.conditions IS 'that a target must satisfy, as of tides veto --where';
COMMENT ON COLUMN subscription.is_report IS 'its digest comes with nothing in it, too: the night is complete';
COMMENT ON COLUMN subscription.muted_until IS 'what happens before is not told';
COMMENT ON COLUMN subscription.is_paused IS 'what happens meanwhile is told later';
COMMENT ON COLUMN subscription.digested_on IS 'the newest day, in Berlin, whose digest was written';

CREATE TABLE subscription_address (
    subscription_id bigint PRIMARY KEY REFERENCES subscription ON DELETE CASCADE,
    address bytea NOT NULL
);

COMMENT ON TABLE subscription_address IS 'where each is sent, with its password: read only by who sends, never shown';

CREATE TABLE target_event (
    event_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tides_id bigint NOT NULL,
    kind text NOT NULL,
    detail text NOT NULL,
    happened_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE target_event IS 'what happened to targets, until it is a notice of those who want it; only added to';

CREATE TABLE notice (
    notice_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription_id bigint NOT NULL REFERENCES subscription ON DELETE CASCADE,
    kind text NOT NULL,
    line text NOT NULL,
    happened_at timestamptz NOT NULL
);

COMMENT ON TABLE notice IS 'what a subscription is still to be told, until it stands in a message';

CREATE INDEX notice_subscription ON notice (subscription_id, notice_id);

CREATE TABLE message (
    message_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription_id bigint NOT NULL REFERENCES subscription ON DELETE CASCADE,
    subject text NOT NULL,
    body text NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    begun_at timestamptz,
    unheard integer NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    failing_since timestamptz,
    next_try_at timestamptz,
    settled_at timestamptz,
    outcome text CHECK (outcome IN ('sent', 'unknown')),
    CHECK ((settled_at IS NULL) = (outcome IS NULL))
);

COMMENT ON TABLE message IS 'what is sent to a subscription, one after another: noted before, settled after';
COMMENT ON COLUMN message.begun_at IS 'set before it is sent: of one found so, nobody knows whether it arrived';
COMMENT ON COLUMN message.unheard IS 'how often that was so: it is begun twice at most';
COMMENT ON COLUMN message.failures IS 'how often the service said no, or was away';

CREATE UNIQUE INDEX message_open ON message (subscription_id) WHERE settled_at IS NULL;
CREATE INDEX message_settled ON message (settled_at) WHERE settled_at IS NOT NULL;

-- Without a subscription nothing is noted. A target that is off when it is made is told when it is switched on.
CREATE FUNCTION note_new_targets() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM subscription) THEN
        INSERT INTO target_event (tides_id, kind, detail)
        SELECT changed.tides_id, 'new', '' FROM changed WHERE changed.active ORDER BY changed.tides_id;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION note_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM subscription) THEN
        INSERT INTO target_event (tides_id, kind, detail)
        SELECT now_is.tides_id, happened.kind, coalesce(happened.detail, '')
        FROM changed AS now_is
        INNER JOIN former AS was ON now_is.tides_id = was.tides_id
        CROSS JOIN LATERAL (
            VALUES
            ('new', '', now_is.active AND NOT was.active AND was.inactive_reason IS NULL),
            ('on', 'was ' || was.inactive_reason, now_is.active AND NOT was.active AND was.inactive_reason IS NOT NULL),
            ('off', now_is.inactive_reason, was.active AND NOT now_is.active),
            (
                'class',
                concat(now_is.sherlock_class, ', was ' || was.sherlock_class),
                now_is.sherlock_class IS DISTINCT FROM was.sherlock_class AND was.sherlock_class IS NOT NULL
            ),
            ('spectrum', 'has enough spectra', now_is.has_spectrum AND NOT was.has_spectrum),
            (
                'refused',
                now_is.refused_4most,
                now_is.refused_4most IS NOT NULL AND now_is.refused_4most IS DISTINCT FROM was.refused_4most
            ),
            ('sent', '', now_is.pk_4most IS NOT NULL AND was.pk_4most IS NULL),
            (
                'changed',
                (
                    SELECT string_agg(known.key, ', ' ORDER BY known.key)
                    FROM jsonb_each(now_is.told_4most) AS known (key, value)
                    WHERE was.told_4most -> known.key IS DISTINCT FROM known.value
                ),
                was.pk_4most IS NOT NULL AND now_is.told_4most IS DISTINCT FROM was.told_4most
            )
        ) AS happened (kind, detail, is_so)
        WHERE happened.is_so
        ORDER BY now_is.tides_id;
    END IF;
    RETURN NULL;
END
$$;

CREATE FUNCTION note_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM subscription) THEN
        INSERT INTO target_event (tides_id, kind, detail)
        SELECT changed.tides_id, 'tag', changed.tag || ' by ' || changed.who || ': ' || changed.reason
        FROM changed
        WHERE changed.kind = 'tag' AND changed.tides_id IS NOT NULL
        ORDER BY changed.ruling_id;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER note_new AFTER INSERT ON tides_master
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_new_targets();
CREATE TRIGGER note_what_happened AFTER UPDATE ON tides_master
REFERENCING NEW TABLE AS changed OLD TABLE AS former FOR EACH STATEMENT EXECUTE FUNCTION note_events();
CREATE TRIGGER note_tagged AFTER INSERT ON ruling
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_tags();
