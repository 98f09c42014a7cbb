-- purpose: list the decisions on an object up to a time, the oldest first
-- params: object_id text, survey text (NULL for any), as_of timestamptz (NULL for now)
-- returns: the columns of decision, and the normalised_text of the function

SELECT
    decision.decision_id,
    decision.decided_at,
    decision.run_id,
    decision.survey,
    decision.object_id,
    decision.function,
    decision.version,
    decision.role,
    decision.code_version,
    decision.curve_digest::text AS curve_digest,
    decision.newest_mjd,
    decision.n_detections,
    decision.passed,
    decision.is_stale,
    decision.trigger_mjd,
    decision.measured,
    decision.failed,
    decision.judged_with,
    decision.now_mjd,
    decision.left_out,
    selection_function.normalised_text
FROM decision
LEFT JOIN selection_function
    ON
        decision.function = selection_function.name
        AND decision.version = selection_function.version
WHERE
    decision.object_id = %(object_id)s::text
    AND (%(survey)s::text IS NULL OR decision.survey = %(survey)s::text)
    AND (%(as_of)s::timestamptz IS NULL OR decision.decided_at <= %(as_of)s::timestamptz)
ORDER BY decision.decided_at, decision.decision_id;
