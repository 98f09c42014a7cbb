-- purpose: list the light curves of a target, by any of its names, or of an object: with which each was judged last
-- params: name text
-- returns: survey, object_id, curve (a table of Arrow with one row), in the order of survey and name

WITH wanted AS (
    SELECT
        association.survey,
        association.object_id
    FROM association
    WHERE
        association.tides_id
        = ANY(array(SELECT kept_target(called) FROM targets_called(%(name)s::text, NULL) AS called))
    UNION
    SELECT
        light_curve.survey,
        light_curve.object_id
    FROM light_curve
    WHERE light_curve.object_id = %(name)s::text
    UNION
    SELECT
        target_light_curve.survey,
        target_light_curve.object_id
    FROM target_light_curve
    WHERE target_light_curve.object_id = %(name)s::text
)

SELECT
    wanted.survey,
    wanted.object_id,
    coalesce(target_light_curve.curve, light_curve.curve) AS curve
FROM wanted
LEFT JOIN target_light_curve
    ON wanted.survey = target_light_curve.survey AND wanted.object_id = target_light_curve.object_id
LEFT JOIN light_curve ON wanted.survey = light_curve.survey AND wanted.object_id = light_curve.object_id
WHERE coalesce(target_light_curve.curve, light_curve.curve) IS NOT NULL
ORDER BY wanted.survey, wanted.object_id;
