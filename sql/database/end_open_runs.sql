-- purpose: end the runs that were at work when the backup was taken, which itself went well, as it was restored
-- params: problem text

UPDATE run_log
SET
    ended_at = run_log.started_at,
    problem = CASE WHEN run_log.kind <> 'backup' THEN %(problem)s::text END
WHERE run_log.ended_at IS NULL;
