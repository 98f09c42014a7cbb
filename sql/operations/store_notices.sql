-- purpose: keep what subscriptions are to be told
-- params: notices jsonb (list of number, subscription_id, kind, line, happened_at; kept in the order of number)

INSERT INTO notice (subscription_id, kind, line, happened_at)
SELECT
    given.subscription_id,
    given.kind,
    given.line,
    given.happened_at
FROM jsonb_to_recordset(%(notices)s::jsonb) AS given (
        number bigint, subscription_id bigint, kind text, line text, happened_at timestamptz
    )
ORDER BY given.number;
