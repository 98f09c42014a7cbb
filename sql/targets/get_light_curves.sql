-- purpose: get the newest light curves of the objects of some targets
-- params: tides_ids bigint[]
-- returns: tides_id bigint, survey text, curve bytea

SELECT
    association.tides_id,
    association.survey,
    target_light_curve.curve
FROM association
INNER JOIN target_light_curve
    ON association.survey = target_light_curve.survey AND association.object_id = target_light_curve.object_id
WHERE association.tides_id = ANY(%(tides_ids)s::bigint[])
ORDER BY association.tides_id, association.survey, association.object_id;
