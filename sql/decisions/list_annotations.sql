-- purpose: list the newest of each annotation of an object
-- params: object_id text, survey text (NULL for any), as_of timestamptz (NULL for now)
-- returns: one row an object, name and broker: survey text, object_id text, name text, number double precision,
--          word text, version text, broker text, mjd double precision, stored_at timestamptz, changes bigint (values
--          before it)

WITH known AS (
    SELECT
        annotation.*,
        count(*) OVER of_name - 1 AS changes
    FROM annotation
    WHERE
        annotation.object_id = %(object_id)s::text
        AND (%(survey)s::text IS NULL OR annotation.survey = %(survey)s::text)
        AND (%(as_of)s::timestamptz IS NULL OR annotation.stored_at <= %(as_of)s::timestamptz)
    WINDOW of_name AS (PARTITION BY annotation.survey, annotation.object_id, annotation.name, annotation.broker)
)

SELECT DISTINCT ON (known.survey, known.object_id, known.name, known.broker)
    known.survey,
    known.object_id,
    known.name,
    known.number,
    known.word,
    known.version,
    known.broker,
    known.mjd,
    known.stored_at,
    known.changes
FROM known
ORDER BY
    known.survey ASC, known.object_id ASC, known.name ASC, known.broker ASC, known.mjd DESC, known.annotation_id DESC;
