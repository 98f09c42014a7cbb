-- purpose: list what earlier runs counted, for one to be compared with
-- params: run_id bigint, number integer (of those before)
-- returns: started_at timestamptz, counts jsonb; the newest first, only runs of its kind that ended well

SELECT
    run_log.started_at,
    run_log.counts
FROM run_log
INNER JOIN run_log AS own
    ON
        run_log.kind = own.kind
        AND run_log.broker IS NOT DISTINCT FROM own.broker
        AND run_log.run_id < own.run_id
WHERE
    own.run_id = %(run_id)s::bigint
    AND run_log.ended_at IS NOT NULL
    AND run_log.problem IS NULL
    AND run_log.counts IS NOT NULL
ORDER BY run_log.run_id DESC
LIMIT %(number)s::integer;
