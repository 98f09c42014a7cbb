-- purpose: keep what alerts say of objects beyond the light curve, where it is other than what was said last
-- needs: annotate, association
-- params: annotations jsonb (list of survey, object_id, name, number, word, version, mjd), broker text,
--         of_targets boolean (only of objects that belong to targets)
-- returns: one row: stored bigint

SELECT
    coalesce(
        sum(annotate(kept.said, %(broker)s::text, FALSE)), 0
    )::bigint AS stored
FROM (
    SELECT jsonb_agg(given.said) AS said
    FROM jsonb_array_elements(%(annotations)s::jsonb) AS given (said)
    WHERE
        NOT %(of_targets)s::boolean
        OR EXISTS (
            SELECT
            FROM association
            WHERE
                association.object_id = given.said ->> 'object_id'
                AND association.survey = given.said ->> 'survey'
        )
) AS kept
WHERE kept.said IS NOT NULL;
