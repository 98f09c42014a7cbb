-- purpose: tell of each kind of run, of pulls for each broker, when one last went well, and how the newest one did
-- returns: kind text, broker text, last_good timestamptz, seconds double precision (the newest took), failed boolean

WITH newest AS (
    SELECT
        run_log.kind,
        run_log.broker,
        max(run_log.run_id) AS run_id,
        max(run_log.ended_at) FILTER (WHERE run_log.problem IS NULL) AS last_good
    FROM run_log
    WHERE run_log.ended_at IS NOT NULL
    GROUP BY run_log.kind, run_log.broker
)

SELECT
    newest.kind,
    newest.broker,
    newest.last_good,
    extract(EPOCH FROM run_log.ended_at - run_log.started_at)::double precision AS seconds,
    run_log.problem IS NOT NULL AS failed
FROM newest
INNER JOIN run_log ON newest.run_id = run_log.run_id
ORDER BY newest.kind, newest.broker;
