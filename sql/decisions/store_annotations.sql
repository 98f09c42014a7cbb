-- purpose: keep what alerts say of objects beyond the light curve, where it is other than what was said last
-- params: annotations jsonb (list of survey, object_id, name, number, word, version, mjd), broker text

INSERT INTO annotation (survey, object_id, name, number, word, version, broker, mjd)
SELECT
    given.survey,
    given.object_id,
    given.name,
    given.number,
    given.word,
    given.version,
    %(broker)s::text AS broker,
    given.mjd
FROM jsonb_to_recordset(%(annotations)s::jsonb) AS given (
        survey text,
        object_id text,
        name text,
        number double precision,
        word text,
        version text,
        mjd double precision
    )
LEFT JOIN LATERAL (
    SELECT
        annotation.number,
        annotation.word,
        annotation.version,
        annotation.mjd
    FROM annotation
    WHERE
        annotation.object_id = given.object_id
        AND annotation.survey = given.survey
        AND annotation.name = given.name
        AND annotation.broker = %(broker)s::text
    ORDER BY annotation.mjd DESC, annotation.annotation_id DESC
    LIMIT 1
) AS newest ON TRUE
WHERE
    newest.mjd IS NULL
    OR (
        given.mjd >= newest.mjd
        AND (given.number, given.word, given.version) IS DISTINCT FROM (newest.number, newest.word, newest.version)
    );
