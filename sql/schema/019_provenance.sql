-- purpose: keep with each run under which settings, by which code and at which time it worked
-- needs: run_log
-- makes: run_settings; columns of run_log

CREATE TABLE run_settings (
    digest text PRIMARY KEY,
    settings jsonb NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE run_settings IS 'all settings of runs, once each whatever number of runs had them; only added to';
COMMENT ON COLUMN run_settings.digest IS 'SHA-256 of settings, in one way of writing';
COMMENT ON COLUMN run_settings.settings IS 'by dotted key as people read them; secrets are masked';

ALTER TABLE run_log
ADD COLUMN settings_digest text REFERENCES run_settings (digest),
ADD COLUMN code_version text,
ADD COLUMN now_mjd double precision;

COMMENT ON COLUMN run_log.settings_digest IS 'NULL for runs of before schema 019, and for parts of a run';
COMMENT ON COLUMN run_log.code_version IS 'of the rooms that decide';
COMMENT ON COLUMN run_log.now_mjd IS '[MJD, UTC] what the run took for now when it began';
