-- purpose: list what a function decided last of each object, the newest first: a page of it
-- params: function text, before_at timestamptz, before_id bigint (of the last row of the page before; NULL: from now),
--         number integer (of decisions that are looked at)
-- returns: one row an object: decided_at timestamptz, decision_id bigint, survey text, object_id text, version text,
--          passed boolean, failed text[], measured jsonb, newest_mjd double precision, n_detections integer, is_last
--          boolean (no later decision took its place), is_target boolean

WITH looked_at AS (
    SELECT
        decision.decided_at,
        decision.decision_id,
        decision.survey,
        decision.object_id,
        decision.function,
        decision.version,
        decision.passed,
        decision.failed,
        decision.measured,
        decision.newest_mjd,
        decision.n_detections
    FROM decision
    WHERE
        decision.function = %(function)s::text
        AND (
            %(before_at)s::timestamptz IS NULL
            OR (decision.decided_at, decision.decision_id) < (%(before_at)s::timestamptz, %(before_id)s::bigint)
        )
    ORDER BY decision.decided_at DESC, decision.decision_id DESC
    LIMIT %(number)s::integer
)

SELECT
    looked_at.decided_at,
    looked_at.decision_id,
    looked_at.survey,
    looked_at.object_id,
    looked_at.version,
    looked_at.passed,
    looked_at.failed,
    looked_at.measured,
    looked_at.newest_mjd,
    looked_at.n_detections,
    newest.decided_at IS NOT NULL AS is_last,
    association.tides_id IS NOT NULL AS is_target
FROM looked_at
LEFT JOIN last_decision AS newest
    ON
        looked_at.survey = newest.survey
        AND looked_at.object_id = newest.object_id
        AND looked_at.function = newest.function
        AND looked_at.decided_at = newest.decided_at
LEFT JOIN association ON looked_at.survey = association.survey AND looked_at.object_id = association.object_id
ORDER BY looked_at.decided_at DESC, looked_at.decision_id DESC;
