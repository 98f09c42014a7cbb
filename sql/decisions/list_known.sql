-- purpose: list those of some objects that belong to a target, or are to become one as a person forces them
-- params: surveys text[], object_ids text[] (of one length), at timestamptz (whose rulings are in force)
-- returns: survey text, object_id text, is_forced boolean (it belongs to no target yet)

SELECT
    association.survey,
    association.object_id,
    FALSE AS is_forced
FROM unnest(%(surveys)s::text[], %(object_ids)s::text[]) AS asked (survey, object_id)
INNER JOIN association ON asked.survey = association.survey AND asked.object_id = association.object_id
UNION ALL
SELECT
    lying.survey,
    lying.object_id,
    TRUE AS is_forced
FROM unnest(%(surveys)s::text[], %(object_ids)s::text[]) AS asked (survey, object_id)
INNER JOIN ruling_subject AS lying ON asked.survey = lying.survey AND asked.object_id = lying.object_id
WHERE
    lying.kind = 'force'
    AND lying.ended_by IS NULL
    AND (lying.until IS NULL OR lying.until > %(at)s::timestamptz)
    AND NOT EXISTS (
        SELECT
        FROM association
        WHERE association.survey = lying.survey AND association.object_id = lying.object_id
    );
