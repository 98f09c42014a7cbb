-- purpose: count the months of decisions that are over age; a clock that runs ahead makes none of them older
-- params: now timestamptz, keep interval
-- returns: before timestamptz (months that end before are over age), old bigint, months bigint, oldest text

WITH clock AS (
    SELECT least(%(now)s::timestamptz, max(run_log.ended_at)) - %(keep)s::interval AS before
    FROM run_log
    WHERE run_log.kind = 'pull' AND run_log.problem IS NULL
),

month AS (
    SELECT right(pg_class.relname, 7) AS name
    FROM pg_inherits
    INNER JOIN pg_class ON pg_inherits.inhrelid = pg_class.oid
    WHERE pg_inherits.inhparent = 'decision'::regclass AND pg_class.relname ~ '^decision_\d{4}_\d{2}$'
)

SELECT
    clock.before,
    count(month.name) FILTER (
        WHERE to_timestamp(month.name || ' +00', 'YYYY_MM TZH') + interval '1 month' <= clock.before
    ) AS old,
    count(month.name) AS months,
    coalesce(min(month.name), '') AS oldest
FROM clock
LEFT JOIN month ON TRUE
GROUP BY clock.before;
