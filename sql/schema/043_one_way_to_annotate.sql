-- purpose: write annotations in one way, whoever says something: brokers, people in spectra and in a TOM
-- needs: annotation
-- makes: the function annotate

-- Keeps what is other than the newest that the same broker said under the same name, and gives how much that was. Said
-- is a list of survey, object_id, name, number or word, version, mjd. What is older than the newest is left out, but
-- for the last word of people, which counts from then on, whatever the clock says.
CREATE FUNCTION annotate(said jsonb, by_broker text, is_last_word boolean) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    stored bigint;
BEGIN
    INSERT INTO annotation (survey, object_id, name, number, word, version, broker, mjd)
    SELECT
        given.survey,
        given.object_id,
        given.name,
        given.number,
        given.word,
        given.version,
        by_broker,
        CASE WHEN is_last_word THEN greatest(given.mjd, newest.mjd) ELSE given.mjd END
    FROM jsonb_to_recordset(said) AS given (
            survey text,
            object_id text,
            name text,
            number double precision,
            word text,
            version text,
            mjd double precision
        )
    LEFT JOIN LATERAL (
        SELECT annotation.*
        FROM annotation
        WHERE
            annotation.object_id = given.object_id
            AND annotation.survey = given.survey
            AND annotation.name = given.name
            AND annotation.broker = by_broker
        ORDER BY annotation.mjd DESC, annotation.annotation_id DESC
        LIMIT 1
    ) AS newest ON TRUE
    WHERE
        newest.mjd IS NULL
        OR (
            (is_last_word OR given.mjd >= newest.mjd)
            AND (given.number, given.word, given.version) IS DISTINCT FROM (newest.number, newest.word, newest.version)
        );
    GET DIAGNOSTICS stored = ROW_COUNT;
    RETURN stored;
END
$$;
