-- purpose: note how a run ended
-- params: run_id bigint, problem text (NULL if all is well)

UPDATE run_log
SET
    ended_at = clock_timestamp(),
    problem = %(problem)s::text
WHERE run_id = %(run_id)s::bigint AND ended_at IS NULL;
