-- purpose: tell how long a run has taken so far, and how long the last good ones of its kind took
-- params: run_id bigint, number integer (of those before)
-- returns: kind text, seconds double precision; the run itself first

SELECT
    run_log.kind,
    extract(EPOCH FROM coalesce(run_log.ended_at, clock_timestamp()) - run_log.started_at)::double precision AS seconds
FROM run_log
INNER JOIN run_log AS own
    ON
        run_log.kind = own.kind
        AND run_log.broker IS NOT DISTINCT FROM own.broker
        AND run_log.run_id <= own.run_id
WHERE
    own.run_id = %(run_id)s::bigint
    AND (run_log.run_id = own.run_id OR (run_log.ended_at IS NOT NULL AND run_log.problem IS NULL))
ORDER BY run_log.run_id DESC
LIMIT %(number)s::integer + 1;
