-- purpose: get stored light curves
-- params: surveys text[], object_ids text[] (of the same length: one of each names an object)
-- returns: survey text, object_id text, curve bytea

SELECT
    light_curve.survey,
    light_curve.object_id,
    light_curve.curve
FROM unnest(%(surveys)s::text[], %(object_ids)s::text[]) AS wanted (survey, object_id)
INNER JOIN light_curve ON wanted.survey = light_curve.survey AND wanted.object_id = light_curve.object_id;
