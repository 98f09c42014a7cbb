-- purpose: list all that waits for a person's word, the oldest first
-- params: times integer (so often something is asked of 4MOST), at timestamptz (whose rulings are in force),
--         scatter double precision (arcsec, of detections about their position), days integer (a namesake is asked
--         about), steady_days double precision (d), steady_mag double precision (mag, of fading),
--         known_types text[] (of the TNS)
-- returns: one row a question: kind text (edit, association, position, tns, steady, refusal, otherwise, guard,
--          spectrum, delivery or namesake), about text (targets, a file, or what is held), question text, number
--          bigint (of targets, or of spectra), since timestamptz (NULL if it is not kept), key text

WITH switched_off AS (
    SELECT DISTINCT
        tides_master.name,
        ruling.reason,
        ruling.ruled_at
    FROM ruling
    INNER JOIN ruling_subject AS lying ON ruling.ruling_id = lying.ruling_id AND lying.ended_by IS NULL
    LEFT JOIN association ON lying.object_id = association.object_id AND lying.survey = association.survey
    INNER JOIN tides_master ON coalesce(lying.tides_id, association.tides_id) = tides_master.tides_id
    WHERE
        ruling.source = '4most'
        AND tides_master.merged_into IS NULL
        AND (ruling.until IS NULL OR ruling.until > %(at)s::timestamptz)
),

refused AS (
    SELECT
        regexp_replace(tides_master.refused_4most, '-?\d+(\.\d+)?', '#', 'g') AS reason,
        tides_master.refused_4most AS in_full,
        tides_master.name,
        tides_master.told_4most_at
    FROM tides_master
    WHERE tides_master.refused_4most IS NOT NULL
),

question AS (
    SELECT
        'edit' AS kind,
        switched_off.name AS about,
        switched_off.reason AS question,
        1 AS number,
        switched_off.ruled_at AS since,
        switched_off.name AS key
    FROM switched_off
    UNION ALL
    SELECT
        'edit' AS kind,
        tides_master.name AS about,
        'left as set at 4MOST: ' || tides_master.respected_4most::text AS question,
        1 AS number,
        NULL::timestamptz AS since,
        tides_master.name AS key
    FROM tides_master
    WHERE tides_master.respected_4most IS NOT NULL
    UNION ALL
    SELECT
        'association' AS kind,
        other.name || ' and ' || mine.name AS about,
        association_question.survey || ' ' || association_question.object_id || ' is '
        || round(association_question.separation_arcsec::numeric, 2)::text || ' arcsec away: are they one?' AS question,
        2 AS number,
        association_question.asked_at AS since,
        association_question.question_id::text AS key
    FROM association_question
    INNER JOIN association
        ON
            association_question.survey = association.survey
            AND association_question.object_id = association.object_id
    INNER JOIN tides_master AS mine ON association.tides_id = mine.tides_id
    INNER JOIN tides_master AS other ON kept_target(association_question.tides_id) = other.tides_id
    WHERE association_question.answer IS NULL
    UNION ALL
    SELECT
        'position' AS kind,
        doubted.name AS about,
        doubted.question,
        1 AS number,
        NULL::timestamptz AS since,
        doubted.name AS key
    FROM doubtful_positions(%(scatter)s::double precision, %(at)s::timestamptz) AS doubted
    UNION ALL
    SELECT
        'tns' AS kind,
        open_tns_question.name AS about,
        'the TNS has it as ' || open_tns_question.tns_type || coalesce(' (' || open_tns_question.tns_name || ')', '')
        || CASE
            WHEN open_tns_question.is_no_supernova THEN ': is it no target?'
            WHEN
                open_tns_question.tns_type <> ALL(%(known_types)s::text[])
                THEN ', a type that no one knows here: is it a target?'
            ELSE ': is its spectrum elsewhere enough?'
        END AS question,
        1 AS number,
        open_tns_question.asked_at AS since,
        open_tns_question.name AS key
    FROM open_tns_question
    UNION ALL
    SELECT
        'steady' AS kind,
        doubted.name AS about,
        doubted.question,
        1 AS number,
        NULL::timestamptz AS since,
        doubted.name AS key
    FROM steady_doubts(
            %(steady_days)s::double precision, %(steady_mag)s::double precision, %(at)s::timestamptz
        ) AS doubted
    UNION ALL
    SELECT
        'refusal' AS kind,
        min(refused.name) AS about,
        'cannot be sent: ' || CASE count(*) WHEN 1 THEN min(refused.in_full) ELSE refused.reason END AS question,
        count(*) AS number,
        NULL::timestamptz AS since,
        refused.reason AS key
    FROM refused
    GROUP BY refused.reason
    UNION ALL
    SELECT
        'otherwise' AS kind,
        tides_master.name AS about,
        '4MOST shows otherwise than it was asked: ' || (tides_master.otherwise_4most -> 'shown')::text AS question,
        1 AS number,
        tides_master.told_4most_at AS since,
        tides_master.name AS key
    FROM tides_master
    WHERE
        tides_master.otherwise_4most IS NOT NULL
        AND (tides_master.otherwise_4most ->> 'times')::integer >= %(times)s::integer
    UNION ALL
    SELECT
        'guard' AS kind,
        held_change.example AS about,
        format('%%s: %%s of %%s at once', held_change.kind, held_change.held, held_change.of_targets) AS question,
        held_change.held AS number,
        held_change.since,
        held_change.kind AS key
    FROM held_change
    WHERE held_change.released IS NULL OR held_change.released < held_change.held
    UNION ALL
    SELECT
        'spectrum' AS kind,
        regexp_replace(strange.path, '.*/', '') AS about,
        'whose are these? The first is spectrum ' || min(strange.spectrum_id)::text || ', '
        || (array_agg(strange.words ORDER BY strange.spectrum_id))[1] AS question,
        count(*) AS number,
        min(strange.taken_in_at) AS since,
        regexp_replace(strange.path, '.*/', '') AS key
    FROM unmatched_spectrum AS strange
    GROUP BY strange.path
    UNION ALL
    SELECT
        'delivery' AS kind,
        regexp_replace(delivery_file.path, '.*/', '') AS about,
        delivery_file.problem AS question,
        1 AS number,
        delivery_file.since,
        delivery_file.path AS key
    FROM delivery_file
    WHERE delivery_file.problem IS NOT NULL
    UNION ALL
    SELECT
        'namesake' AS kind,
        namesake.name AS about,
        format(
            'row %%s at 4MOST, of %%s, has a name of ours, and this database never made it',
            namesake.pk_4most,
            CASE WHEN namesake.is_of_survey THEN 'our survey' ELSE 'another survey or subsurvey' END
        ) AS question,
        1 AS number,
        namesake.met_at AS since,
        namesake.name AS key
    FROM namesake
    WHERE namesake.met_at > now() - make_interval(days => %(days)s::integer)
    UNION ALL
    SELECT
        'tom' AS kind,
        missing.name AS about,
        'was deleted in the TOM ' || missing.tom || ': is it none?' AS question,
        1 AS number,
        missing.gone_since AS since,
        missing.name AS key
    FROM open_tom_question AS missing
)

SELECT
    question.kind,
    question.about,
    question.question,
    question.number,
    question.since,
    question.key
FROM question
ORDER BY question.since ASC NULLS LAST, question.kind ASC, question.about ASC;
