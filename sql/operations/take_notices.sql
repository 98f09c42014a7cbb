-- purpose: take all notices of a subscription, to write a message of them in the same transaction
-- params: subscription_id bigint, number integer (of lines of each kind at most)
-- returns: one row a kind, that of the first notice first: kind text, number bigint (with what is only counted),
--          lines text[] (the first ones; a line that comes again comes once), first_at, last_at timestamptz

WITH taken AS (
    DELETE FROM notice
    WHERE notice.subscription_id = %(subscription_id)s::bigint
    RETURNING
        notice.notice_id,
        notice.kind,
        notice.line,
        notice.happened_at
),

beyond AS (
    DELETE FROM notice_beyond
    WHERE notice_beyond.subscription_id = %(subscription_id)s::bigint
    RETURNING
        notice_beyond.kind,
        notice_beyond.number
),

once AS (
    SELECT
        taken.kind,
        taken.line,
        min(taken.notice_id) AS notice_id,
        min(taken.happened_at) AS first_at,
        max(taken.happened_at) AS last_at
    FROM taken
    GROUP BY taken.kind, taken.line
),

placed AS (
    SELECT
        once.*,
        row_number() OVER (PARTITION BY once.kind ORDER BY once.notice_id) AS place
    FROM once
)

SELECT
    placed.kind,
    count(*) + coalesce(min(beyond.number), 0) AS number,
    array_agg(placed.line ORDER BY placed.place) FILTER (WHERE placed.place <= %(number)s::integer) AS lines,
    min(placed.first_at) AS first_at,
    max(placed.last_at) AS last_at
FROM placed
LEFT JOIN beyond ON placed.kind = beyond.kind
GROUP BY placed.kind
ORDER BY min(placed.notice_id);
