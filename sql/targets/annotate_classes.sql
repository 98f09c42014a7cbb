-- purpose: let what some objects are by their spectra be annotations, where it is other than before
-- needs: object_class, annotation
-- params: surveys text[], object_ids text[] (of one length), now_mjd double precision (MJD, UTC)

INSERT INTO annotation (survey, object_id, name, number, word, version, broker, mjd)
SELECT
    known.survey,
    known.object_id,
    known.name,
    known.number,
    known.word,
    known.by AS version,
    'spectra' AS broker,
    greatest(%(now_mjd)s::double precision, newest.mjd) AS mjd
FROM (
    SELECT
        object_class.survey,
        object_class.object_id,
        object_class.by,
        said.name,
        said.number,
        said.word
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
) AS known
LEFT JOIN
    LATERAL (
        SELECT annotation.*
        FROM annotation
        WHERE
            annotation.object_id = known.object_id
            AND annotation.survey = known.survey
            AND annotation.name = known.name
            AND annotation.broker = 'spectra'
        ORDER BY annotation.mjd DESC, annotation.annotation_id DESC
        LIMIT 1
    ) AS newest
    ON TRUE
WHERE (known.number, known.word, known.by) IS DISTINCT FROM (newest.number, newest.word, newest.version);
