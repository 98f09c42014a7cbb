-- purpose: keep under which settings, by which code and at which time a run works; its settings only if they are new
-- params: run_id bigint, digest text, settings jsonb, code_version text, now_mjd double precision (MJD, UTC)

INSERT INTO run_settings (digest, settings)
VALUES (%(digest)s::text, %(settings)s::jsonb)
ON CONFLICT (digest) DO NOTHING;

UPDATE run_log
SET
    settings_digest = %(digest)s::text,
    code_version = %(code_version)s::text,
    now_mjd = %(now_mjd)s::double precision
WHERE run_log.run_id = %(run_id)s::bigint;
