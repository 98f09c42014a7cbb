-- purpose: find the last good one of each kind of run, of pulls for each broker, and the newest one
-- returns: kind text, broker text, first_at timestamptz (the first began), last_good timestamptz (it ended),
--          failed bigint (runs since that failed or were killed), started_at timestamptz, ended_at timestamptz,
--          problem text (of the newest)

WITH kind_of_run AS (
    SELECT
        run_log.kind,
        run_log.broker,
        min(run_log.started_at) AS first_at,
        max(run_log.run_id) AS newest_id,
        max(run_log.run_id) FILTER (WHERE run_log.ended_at IS NOT NULL AND run_log.problem IS NULL) AS good_id
    FROM run_log
    GROUP BY run_log.kind, run_log.broker
)

SELECT
    kind_of_run.kind,
    kind_of_run.broker,
    kind_of_run.first_at,
    good.ended_at AS last_good,
    (
        SELECT count(*)
        FROM run_log AS later
        WHERE
            later.kind = kind_of_run.kind
            AND later.broker IS NOT DISTINCT FROM kind_of_run.broker
            AND later.run_id > coalesce(kind_of_run.good_id, 0)
            AND (later.problem IS NOT NULL OR (later.ended_at IS NULL AND later.run_id < kind_of_run.newest_id))
    ) AS failed,
    newest.started_at,
    newest.ended_at,
    newest.problem
FROM kind_of_run
INNER JOIN run_log AS newest ON kind_of_run.newest_id = newest.run_id
LEFT JOIN run_log AS good ON kind_of_run.good_id = good.run_id
ORDER BY kind_of_run.kind, kind_of_run.broker;
