-- purpose: log runs that look at some objects only, as runs of their own
-- makes: a kind of run_log

ALTER TABLE run_log DROP CONSTRAINT run_log_kind_check;
ALTER TABLE run_log
ADD CONSTRAINT run_log_kind_check
CHECK (kind IN ('bridge', 'pull', 'exchange', 'reconcile', 'backup', 'spectra', 'only'));

COMMENT ON COLUMN run_log.kind IS 'bridge: a whole run, with its pulls and exchanges; only: a look at some objects';
