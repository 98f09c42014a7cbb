-- purpose: list the objects of a target, by any of its names, or the object that is called so and has a light curve
-- params: name text
-- returns: survey, object_id, in this order

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
UNION
SELECT
    decided_light_curve.survey,
    decided_light_curve.object_id
FROM decided_light_curve
WHERE decided_light_curve.object_id = %(name)s::text
ORDER BY survey, object_id;
