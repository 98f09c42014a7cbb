-- purpose: count what waits for a person's word, by kind
-- params: times integer (so often something is asked of 4MOST), at timestamptz (whose rulings are in force),
--         scatter double precision (arcsec, of detections about their position), days integer (a namesake is asked
--         about), steady_days double precision (d), steady_mag double precision (mag, of fading)
-- returns: one row of numbers: edit, association, position, tns, steady, refusal (targets), otherwise, guard,
--          spectrum (spectra), delivery, namesake (rows at 4MOST), tom

SELECT
    (
        SELECT count(DISTINCT mine.tides_id)
        FROM ruling
        INNER JOIN ruling_subject AS lying ON ruling.ruling_id = lying.ruling_id AND lying.ended_by IS NULL
        LEFT JOIN association ON lying.object_id = association.object_id AND lying.survey = association.survey
        INNER JOIN tides_master AS mine ON coalesce(lying.tides_id, association.tides_id) = mine.tides_id
        WHERE
            ruling.source = '4most'
            AND mine.merged_into IS NULL
            AND (ruling.until IS NULL OR ruling.until > %(at)s::timestamptz)
    ) + (
        SELECT count(*)
        FROM tides_master
        WHERE tides_master.respected_4most IS NOT NULL
    ) AS edit,
    (
        SELECT count(*)
        FROM association_question
        WHERE association_question.answer IS NULL
    ) AS association,
    (
        SELECT count(*)
        FROM doubtful_positions(%(scatter)s::double precision, %(at)s::timestamptz)
    ) AS position,
    (SELECT count(*) FROM open_tns_question) AS tns,
    (
        SELECT count(*)
        FROM steady_doubts(
                %(steady_days)s::double precision, %(steady_mag)s::double precision, %(at)s::timestamptz
            )
    ) AS steady,
    (
        SELECT count(*)
        FROM tides_master
        WHERE tides_master.refused_4most IS NOT NULL
    ) AS refusal,
    (
        SELECT count(*)
        FROM tides_master
        WHERE
            tides_master.otherwise_4most IS NOT NULL
            AND (tides_master.otherwise_4most ->> 'times')::integer >= %(times)s::integer
    ) AS otherwise,
    (
        SELECT count(*)
        FROM held_change
        WHERE held_change.released IS NULL OR held_change.released < held_change.held
    ) AS guard,
    (SELECT count(*) FROM unmatched_spectrum) AS spectrum,
    (
        SELECT count(*)
        FROM delivery_file
        WHERE delivery_file.problem IS NOT NULL
    ) AS delivery,
    (
        SELECT count(*)
        FROM namesake
        WHERE namesake.met_at > now() - make_interval(days => %(days)s::integer)
    ) AS namesake,
    (SELECT count(*) FROM open_tom_question) AS tom;
