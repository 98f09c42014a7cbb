-- purpose: find what a run worked under: that of a key, or the last whole run at a time or before another run
-- params: run_id bigint, as_of timestamptz, before bigint (one of them, the others NULL)
-- returns: run_id bigint, kind text, started_at timestamptz, code_version text, now_mjd double precision [MJD, UTC],
--          digest text, settings jsonb; no row if nothing is known

SELECT
    worked.run_id,
    worked.kind,
    worked.started_at,
    worked.code_version,
    worked.now_mjd,
    run_settings.digest,
    run_settings.settings
FROM run_log AS worked
INNER JOIN run_settings ON worked.settings_digest = run_settings.digest
LEFT JOIN run_log AS asked ON asked.run_id = %(run_id)s::bigint
WHERE CASE
        -- A pull is part of the whole run that began before it, and decisions name the pull.
        WHEN asked.kind = 'pull' THEN worked.kind = 'bridge' AND worked.run_id < asked.run_id
        WHEN %(run_id)s::bigint IS NOT NULL THEN worked.run_id = asked.run_id
        WHEN %(before)s::bigint IS NOT NULL THEN worked.kind = 'bridge' AND worked.run_id < %(before)s::bigint
        ELSE worked.kind = 'bridge' AND worked.started_at <= %(as_of)s::timestamptz
    END
ORDER BY worked.run_id DESC
LIMIT 1;
