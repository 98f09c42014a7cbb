-- purpose: note how a run ended
-- params: run_id bigint, problem text (NULL if all is well), counts jsonb (NULL if it has none)

UPDATE run_log
SET
    ended_at = clock_timestamp(),
    problem = %(problem)s::text,
    counts = %(counts)s::jsonb
WHERE run_id = %(run_id)s::bigint AND ended_at IS NULL;
