-- purpose: keep what people say of a target in a TOM, with an annotation of what is other than before
-- params: tom text, tides_id bigint, heard jsonb, notes jsonb (list of name, number or null, word or null),
--         now_mjd double precision (MJD, UTC)

WITH known AS (
    UPDATE tom_target
    SET heard = %(heard)s::jsonb
    WHERE tom_target.tom = %(tom)s::text AND tom_target.tides_id = %(tides_id)s::bigint
    RETURNING tom_target.tides_id
)

INSERT INTO annotation (survey, object_id, name, number, word, broker, mjd)
SELECT
    target.survey,
    target.object_id,
    said.name,
    said.number,
    said.word,
    'tom' AS broker,
    greatest(%(now_mjd)s::double precision, newest.mjd) AS mjd
FROM known
INNER JOIN tides_master AS target ON known.tides_id = target.tides_id
CROSS JOIN jsonb_to_recordset(%(notes)s::jsonb) AS said (name text, number double precision, word text)
LEFT JOIN
    LATERAL (
        SELECT annotation.*
        FROM annotation
        WHERE
            annotation.object_id = target.object_id
            AND annotation.survey = target.survey
            AND annotation.name = said.name
            AND annotation.broker = 'tom'
        ORDER BY annotation.mjd DESC, annotation.annotation_id DESC
        LIMIT 1
    ) AS newest
    ON TRUE
WHERE (said.number, said.word) IS DISTINCT FROM (newest.number, newest.word);
