-- purpose: keep what was made of spectra, where it is other than what the same source said last of the same
-- params: classes jsonb (list of number, tides_id or named: of a target or an object, source, who, type, subtype,
--         redshift, redshift_error, confidence, spectrum, version, classified_at), came_from text
-- returns: one row an entry: number integer, survey text and object_id text (NULL: nobody knows it), is_new boolean

WITH given AS (
    SELECT entry.*
    FROM jsonb_to_recordset(%(classes)s::jsonb) AS entry (
            number integer,
            tides_id bigint,
            named text,
            source text,
            who text,
            type text,
            subtype text,
            redshift double precision,
            redshift_error double precision,
            confidence double precision,
            spectrum text,
            version text,
            classified_at timestamptz
        )
),

meant AS (
    SELECT DISTINCT ON (given.number)
        given.*,
        found.survey,
        found.object_id
    FROM given
    LEFT JOIN
        LATERAL (
            SELECT
                target.survey,
                target.object_id,
                1 AS place
            FROM tides_master AS target
            WHERE target.tides_id = given.tides_id
            UNION ALL
            SELECT
                target.survey,
                target.object_id,
                2 AS place
            FROM tides_master AS target
            WHERE target.name = given.named AND given.tides_id IS NULL
            UNION ALL
            SELECT
                association.survey,
                association.object_id,
                3 AS place
            FROM association
            WHERE association.object_id = given.named AND given.tides_id IS NULL
        ) AS found
        ON TRUE
    ORDER BY given.number, found.place, found.survey
),

-- Of the same said twice the last counts.
last_said AS (
    SELECT DISTINCT ON (
        meant.survey, meant.object_id, meant.source, meant.who, meant.spectrum, meant.version, meant.classified_at
    ) meant.*
    FROM meant
    WHERE meant.object_id IS NOT NULL
    ORDER BY
        meant.survey, meant.object_id, meant.source, meant.who, meant.spectrum, meant.version, meant.classified_at,
        meant.number DESC
),

stored AS (
    INSERT INTO classification (
        survey, object_id, source, who, type, subtype, redshift, redshift_error, confidence, spectrum, version,
        classified_at, came_from
    )
    SELECT
        last_said.survey,
        last_said.object_id,
        last_said.source,
        last_said.who,
        last_said.type,
        last_said.subtype,
        last_said.redshift,
        last_said.redshift_error,
        last_said.confidence,
        last_said.spectrum,
        last_said.version,
        last_said.classified_at,
        %(came_from)s::text
    FROM last_said
    LEFT JOIN
        LATERAL (
            SELECT former.*
            FROM classification AS former
            WHERE
                former.object_id = last_said.object_id
                AND former.survey = last_said.survey
                AND (former.source, former.who, former.spectrum, former.version, former.classified_at)
                IS NOT DISTINCT FROM (
                    last_said.source, last_said.who, last_said.spectrum, last_said.version, last_said.classified_at
                )
            ORDER BY former.classification_id DESC
            LIMIT 1
        ) AS before
        ON TRUE
    WHERE
        (before.type, before.subtype, before.redshift, before.redshift_error, before.confidence)
        IS DISTINCT FROM (
            last_said.type, last_said.subtype, last_said.redshift, last_said.redshift_error, last_said.confidence
        )
    ORDER BY last_said.number
    RETURNING survey, object_id
)

SELECT
    meant.number,
    meant.survey,
    meant.object_id,
    meant.object_id IS NOT NULL AND (meant.survey, meant.object_id) IN (
        SELECT
            stored.survey,
            stored.object_id
        FROM stored
    ) AS is_new
FROM meant
ORDER BY meant.number;
