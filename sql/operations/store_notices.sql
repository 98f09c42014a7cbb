-- purpose: keep what subscriptions are to be told; of a kind beyond some number only how much it is
-- params: notices jsonb (list of number, subscription_id, kind, line, happened_at; kept in the order of number),
--         most integer (of a subscription and kind that wait)

WITH given AS (
    SELECT
        told.number,
        told.subscription_id,
        told.kind,
        told.line,
        told.happened_at,
        row_number() OVER (PARTITION BY told.subscription_id, told.kind ORDER BY told.number)
        + coalesce(waiting.number, 0) AS place
    FROM jsonb_to_recordset(%(notices)s::jsonb) AS told (
            number bigint, subscription_id bigint, kind text, line text, happened_at timestamptz
        )
    LEFT JOIN (
        SELECT
            notice.subscription_id,
            notice.kind,
            count(*) AS number
        FROM notice
        GROUP BY notice.subscription_id, notice.kind
    ) AS waiting ON told.subscription_id = waiting.subscription_id AND told.kind = waiting.kind
),

counted AS (
    INSERT INTO notice_beyond (subscription_id, kind, number)
    SELECT
        given.subscription_id,
        given.kind,
        count(*) AS number
    FROM given
    WHERE given.place > %(most)s::integer
    GROUP BY given.subscription_id, given.kind
    ON CONFLICT (subscription_id, kind) DO UPDATE SET number = notice_beyond.number + excluded.number
)

INSERT INTO notice (subscription_id, kind, line, happened_at)
SELECT
    given.subscription_id,
    given.kind,
    given.line,
    given.happened_at
FROM given
WHERE given.place <= %(most)s::integer
ORDER BY given.number;
