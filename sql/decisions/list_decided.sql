-- purpose: list what a run and those after it decided that passes now, or has passed before
-- params: run_id bigint
-- returns: survey text, object_id text, name text (of its target, NULL for none), function text, role text,
--          passed boolean, failed text[], passed_before boolean (NULL if nothing was decided)

SELECT
    decision.survey,
    decision.object_id,
    tides_master.name,
    decision.function,
    decision.role,
    decision.passed,
    decision.failed,
    before.passed AS passed_before
FROM run_log
INNER JOIN decision ON run_log.started_at <= decision.decided_at AND run_log.run_id <= decision.run_id
LEFT JOIN association ON decision.survey = association.survey AND decision.object_id = association.object_id
LEFT JOIN tides_master ON association.tides_id = tides_master.tides_id
LEFT JOIN LATERAL (
    SELECT earlier.passed
    FROM decision AS earlier
    WHERE
        earlier.object_id = decision.object_id
        AND earlier.survey = decision.survey
        AND earlier.function = decision.function
        AND earlier.decision_id < decision.decision_id
    ORDER BY earlier.decision_id DESC
    LIMIT 1
) AS before ON TRUE
WHERE run_log.run_id = %(run_id)s::bigint AND (decision.passed OR before.passed)
ORDER BY decision.decision_id;
