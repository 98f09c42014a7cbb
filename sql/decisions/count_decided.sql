-- purpose: count what a run and those after it decided otherwise than before
-- params: run_id bigint
-- returns: one row a function: function text, role text, decided bigint, passed bigint

SELECT
    decision.function,
    decision.role,
    count(*) AS decided,
    count(*) FILTER (WHERE decision.passed) AS passed
FROM run_log
INNER JOIN decision ON run_log.started_at <= decision.decided_at AND run_log.run_id <= decision.run_id
WHERE run_log.run_id = %(run_id)s::bigint
GROUP BY decision.function, decision.role
ORDER BY decision.role, decision.function;
