-- purpose: list the runs that began between two times, whole ones with their parts, or one run
-- params: begin timestamptz, finish timestamptz, run_id bigint (only this one; NULL: all)
-- returns: one row a run, the newest first: run_id bigint, kind text, broker text, started_at timestamptz, ended_at
--          timestamptz, problem text, counts jsonb, settings_digest text, code_version text, now_mjd double precision

SELECT
    run_log.run_id,
    run_log.kind,
    run_log.broker,
    run_log.started_at,
    run_log.ended_at,
    run_log.problem,
    run_log.counts,
    run_log.settings_digest,
    run_log.code_version,
    run_log.now_mjd
FROM run_log
WHERE
    (%(run_id)s::bigint IS NULL OR run_log.run_id = %(run_id)s::bigint)
    AND (%(begin)s::timestamptz IS NULL OR run_log.started_at >= %(begin)s::timestamptz)
    AND (%(finish)s::timestamptz IS NULL OR run_log.started_at < %(finish)s::timestamptz)
ORDER BY run_log.run_id DESC;
