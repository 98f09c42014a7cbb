-- purpose: let what some objects are by their spectra be annotations, where it is other than before
-- needs: object_class, annotate
-- params: surveys text[], object_ids text[] (of one length), now_mjd double precision (MJD, UTC)
-- returns: one row, or none where there is nothing: stored bigint (annotations that are other than before)

SELECT
    annotate(
        jsonb_agg(
            jsonb_build_object(
                'survey', object_class.survey, 'object_id', object_class.object_id, 'name', said.name,
                'number',
                said.number,
                'word',
                said.word,
                'version',
                object_class.by,
                'mjd',
                %(now_mjd)s::double precision
            )
        ),
        'spectra',
        TRUE
    ) AS stored
FROM unnest(%(surveys)s::text[], %(object_ids)s::text[]) AS asked (survey, object_id)
INNER JOIN object_class ON asked.survey = object_class.survey AND asked.object_id = object_class.object_id
CROSS JOIN
    LATERAL (
        VALUES
        ('spectrum.type', NULL::double precision, object_class.type),
        ('spectrum.confidence', object_class.confidence, NULL),
        ('spectrum.redshift', object_class.redshift, NULL),
        ('spectrum.redshift_error', object_class.redshift_error, NULL)
    ) AS said (name, number, word)
WHERE coalesce(said.number::text, said.word) IS NOT NULL
HAVING count(*) > 0;
