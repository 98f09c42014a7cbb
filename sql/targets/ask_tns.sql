-- purpose: ask about targets by their type at the Transient Name Server: in the list, or else as a broker said it last;
--          a question whose type is no longer so is not open, and is none anew when it is so again
-- params: no_supernova text[], known text[] (types), asks_no_supernova boolean (also of types that nobody knows),
--         asks_classified boolean (of every other type)
-- returns: one row a new question: tides_id bigint, name text, tns_type text, tns_name text, is_no_supernova boolean,
--          is_ruled boolean (a veto, hold or force is in force)

WITH listed AS (
    SELECT
        tns_object.ra,
        tns_object.decl,
        tns_object.internal_names
    FROM tns_object
    WHERE
        tns_object.object_type IS NOT NULL
        AND (
            %(asks_classified)s::boolean
            OR tns_object.object_type = ANY(%(no_supernova)s::text[])
            OR tns_object.object_type <> ALL(%(known)s::text[])
        )
),

spoken AS (
    SELECT DISTINCT
        annotation.survey,
        annotation.object_id
    FROM annotation
    WHERE
        annotation.name = 'tns.type'
        AND (
            %(asks_classified)s::boolean
            OR annotation.word = ANY(%(no_supernova)s::text[])
            OR annotation.word <> ALL(%(known)s::text[])
        )
),

-- Whom it may concern; the view says whom it does.
candidate AS (
    SELECT association.tides_id
    FROM listed
    CROSS JOIN LATERAL unnest(listed.internal_names) AS internal (name)
    INNER JOIN association ON internal.name = association.object_id
    UNION
    SELECT association.tides_id
    FROM listed
    CROSS JOIN (VALUES (-1), (0), (1)) AS strip (step)
    INNER JOIN association ON declination_zone(listed.decl) + strip.step = association.match_zone
    WHERE great_circle_arcsec(association.match_ra, association.match_decl, listed.ra, listed.decl) <= 10
    UNION
    SELECT association.tides_id
    FROM spoken
    INNER JOIN association ON spoken.object_id = association.object_id AND spoken.survey = association.survey
),

typed AS (
    SELECT
        candidate.tides_id,
        tns_match.tns_name,
        coalesce(
            tns_match.object_type,
            (
                SELECT annotation.word
                FROM association
                INNER JOIN annotation
                    ON
                        association.object_id = annotation.object_id
                        AND association.survey = annotation.survey
                        AND annotation.name = 'tns.type'
                WHERE association.tides_id = candidate.tides_id
                ORDER BY annotation.mjd DESC, annotation.annotation_id DESC
                LIMIT 1
            )
        ) AS tns_type
    FROM candidate
    -- As an array it goes into the view, which would else look for all targets.
    LEFT JOIN tns_match
        ON
            candidate.tides_id = tns_match.tides_id
            AND tns_match.tides_id = any(array(SELECT wanted.tides_id FROM candidate AS wanted))
),

asked AS (
    SELECT
        typed.tides_id,
        typed.tns_name,
        typed.tns_type,
        typed.tns_type = ANY(%(no_supernova)s::text[]) AS is_no_supernova
    FROM typed
    INNER JOIN tides_master ON typed.tides_id = tides_master.tides_id
    WHERE
        tides_master.merged_into IS NULL
        AND CASE
            WHEN typed.tns_type = ANY(%(no_supernova)s::text[]) THEN %(asks_no_supernova)s::boolean
            WHEN typed.tns_type <> ALL(%(known)s::text[])
                THEN %(asks_no_supernova)s::boolean OR %(asks_classified)s::boolean
            ELSE typed.tns_type IS NOT NULL AND %(asks_classified)s::boolean
        END
        -- Answered of a target that had one of its objects, before a merge or a split: that holds for this one, too.
        AND NOT EXISTS (
            SELECT
            FROM association
            INNER JOIN association_log
                ON
                    association.object_id = association_log.object_id
                    AND association.survey = association_log.survey
            INNER JOIN tns_question AS former ON association_log.from_tides_id = former.tides_id
            INNER JOIN ruling ON former.tides_id = ruling.tides_id AND former.asked_at < ruling.ruled_at
            WHERE
                association.tides_id = typed.tides_id
                AND former.tides_id <> typed.tides_id
                AND former.tns_type = typed.tns_type
        )
),

noted AS (
    UPDATE tns_question
    SET is_so = NOT tns_question.is_so
    WHERE
        tns_question.is_so <> EXISTS (
            SELECT
            FROM asked
            WHERE asked.tides_id = tns_question.tides_id AND asked.tns_type = tns_question.tns_type
        )
),

stored AS (
    INSERT INTO tns_question (tides_id, tns_type, tns_name, is_no_supernova)
    SELECT
        asked.tides_id,
        asked.tns_type,
        asked.tns_name,
        asked.is_no_supernova
    FROM asked
    ON CONFLICT DO NOTHING
    RETURNING
        tns_question.tides_id,
        tns_question.tns_type,
        tns_question.tns_name,
        tns_question.is_no_supernova
)

SELECT
    stored.tides_id,
    tides_master.name,
    stored.tns_type,
    stored.tns_name,
    stored.is_no_supernova,
    ruled.number > 0 AS is_ruled
FROM stored
INNER JOIN tides_master ON stored.tides_id = tides_master.tides_id
CROSS JOIN
    LATERAL (
        SELECT count(*) AS number
        FROM ruling_in_force AS lying
        WHERE lying.tides_id = stored.tides_id AND lying.kind IN ('veto', 'hold', 'force')
    ) AS ruled
ORDER BY stored.tides_id, stored.tns_type;
