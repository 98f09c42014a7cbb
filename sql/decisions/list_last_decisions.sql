-- purpose: list the latest decision of each function on an object, also where the log has none any more
-- params: object_id text, survey text (NULL for any)
-- returns: the columns of last_decision

SELECT
    last_decision.survey,
    last_decision.object_id,
    last_decision.function,
    last_decision.version,
    last_decision.role,
    last_decision.passed,
    last_decision.trigger_mjd,
    last_decision.failed,
    last_decision.decided_at
FROM last_decision
WHERE
    last_decision.object_id = %(object_id)s::text
    AND (%(survey)s::text IS NULL OR last_decision.survey = %(survey)s::text)
ORDER BY last_decision.survey, last_decision.decided_at;
