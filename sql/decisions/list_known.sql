-- purpose: list those of some objects that belong to a target
-- params: surveys text[], object_ids text[] (of one length)
-- returns: survey text, object_id text

SELECT
    association.survey,
    association.object_id
FROM unnest(%(surveys)s::text[], %(object_ids)s::text[]) AS asked (survey, object_id)
INNER JOIN association ON asked.survey = association.survey AND asked.object_id = association.object_id;
