-- purpose: get the light curve with which an object passed, after it those of the other objects of its target
-- params: survey text, object_id text
-- returns: survey text, object_id text, curve bytea, now_mjd double precision (MJD), name text (of the target),
--          function text, normalised_text text (of the function that chose it); no row if it never passed

WITH asked AS (
    SELECT
        target_light_curve.survey,
        target_light_curve.object_id,
        association.tides_id
    FROM target_light_curve
    LEFT JOIN association
        ON
            target_light_curve.survey = association.survey
            AND target_light_curve.object_id = association.object_id
    WHERE
        target_light_curve.survey = %(survey)s::text
        AND target_light_curve.object_id = %(object_id)s::text
),

chosen AS (
    SELECT
        last_decision.function,
        selection_function.normalised_text
    FROM last_decision
    INNER JOIN selection_function
        ON last_decision.function = selection_function.name AND last_decision.version = selection_function.version
    WHERE
        last_decision.survey = %(survey)s::text
        AND last_decision.object_id = %(object_id)s::text
        AND last_decision.role = 'active'
    ORDER BY last_decision.decided_at DESC
    LIMIT 1
)

SELECT
    target_light_curve.survey,
    target_light_curve.object_id,
    target_light_curve.curve,
    target_light_curve.now_mjd,
    tides_master.name,
    chosen.function,
    chosen.normalised_text
FROM asked
CROSS JOIN chosen
LEFT JOIN association ON asked.tides_id = association.tides_id
LEFT JOIN tides_master ON asked.tides_id = tides_master.tides_id
INNER JOIN target_light_curve
    ON
        coalesce(association.survey, asked.survey) = target_light_curve.survey
        AND coalesce(association.object_id, asked.object_id) = target_light_curve.object_id
ORDER BY target_light_curve.object_id <> asked.object_id, target_light_curve.survey, target_light_curve.object_id;
