-- purpose: find the last good one of each kind of run, of pulls for each broker, and the newest one
-- returns: kind text, broker text, last_good timestamptz, started_at timestamptz, ended_at timestamptz, problem text
--          (of the newest)

SELECT
    newest.kind,
    newest.broker,
    newest.started_at,
    newest.ended_at,
    newest.problem,
    (
        SELECT max(good.ended_at)
        FROM run_log AS good
        WHERE good.kind = newest.kind AND good.broker IS NOT DISTINCT FROM newest.broker AND good.problem IS NULL
    ) AS last_good
FROM run_log AS newest
WHERE newest.run_id IN (SELECT max(run_log.run_id) FROM run_log GROUP BY run_log.kind, run_log.broker)
ORDER BY newest.kind, newest.broker;
