-- purpose: keep what people say of a target in a TOM, with an annotation of what is other than before
-- needs: annotate
-- params: tom text, tides_id bigint, heard jsonb, notes jsonb (list of name, number or null, word or null),
--         now_mjd double precision (MJD, UTC)
-- returns: one row, or none where there is nothing: stored bigint (annotations that are other than before)

WITH known AS (
    UPDATE tom_target
    SET heard = %(heard)s::jsonb
    WHERE tom_target.tom = %(tom)s::text AND tom_target.tides_id = %(tides_id)s::bigint
    RETURNING tom_target.tides_id
)

SELECT
    annotate(
        jsonb_agg(
            note.said || jsonb_build_object(
                'survey', target.survey, 'object_id', target.object_id, 'mjd', %(now_mjd)s::double precision
            )
        ),
        'tom',
        TRUE
    ) AS stored
FROM known
INNER JOIN tides_master AS target ON known.tides_id = target.tides_id
CROSS JOIN jsonb_array_elements(%(notes)s::jsonb) AS note (said)
HAVING count(*) > 0;
