-- purpose: get the light curves of decisions on an object, as far as they are kept
-- params: object_id text, survey text, digests uuid[]
-- returns: curve_digest text, curve bytea

SELECT
    decided_light_curve.curve_digest::text AS curve_digest,
    decided_light_curve.curve
FROM decided_light_curve
WHERE
    decided_light_curve.object_id = %(object_id)s::text
    AND decided_light_curve.survey = %(survey)s::text
    AND decided_light_curve.curve_digest = ANY(%(digests)s::uuid[]);
