-- purpose: take one object out of its target, into a new one with the next name of the year; none if it is the only one
-- needs: association locked
-- params: survey text, object_id text, year integer, prefix text (of names), reason text, who text
-- returns: tides_id bigint, name text of the new target, left_id bigint, left_name text of the one it leaves

WITH split AS (
    SELECT
        mine.*,
        tides_master.name,
        tides_master.selection_function,
        nearest.separation_arcsec AS left_arcsec
    FROM association AS mine
    INNER JOIN tides_master ON mine.tides_id = tides_master.tides_id
    CROSS JOIN
        LATERAL (
            SELECT
                min(
                    great_circle_arcsec(mine.match_ra, mine.match_decl, other.match_ra, other.match_decl)
                ) AS separation_arcsec
            FROM association AS other
            WHERE
                other.tides_id = mine.tides_id
                AND (other.survey, other.object_id) <> (mine.survey, mine.object_id)
        ) AS nearest
    WHERE
        mine.survey = %(survey)s::text
        AND mine.object_id = %(object_id)s::text
        AND nearest.separation_arcsec IS NOT NULL
),

counted AS (
    INSERT INTO name_counter AS counter (year, used)
    SELECT
        %(year)s::integer,
        count(*)
    FROM split
    HAVING count(*) > 0
    ON CONFLICT (year) DO UPDATE SET used = counter.used + excluded.used
    RETURNING counter.used
),

added AS (
    INSERT INTO tides_master (
        name,
        survey,
        object_id,
        ra,
        decl,
        first_detection_mjd,
        last_detection_mjd,
        n_detections,
        sherlock_class,
        selection_function
    )
    SELECT
        tides_name(%(year)s::integer, counted.used, %(prefix)s::text) AS name,
        split.survey,
        split.object_id,
        split.ra,
        split.decl,
        split.first_detection_mjd,
        split.last_detection_mjd,
        split.n_detections,
        split.sherlock_class,
        split.selection_function
    FROM split
    CROSS JOIN counted
    RETURNING tides_master.tides_id, tides_master.name
),

logged AS (
    INSERT INTO association_log (action, survey, object_id, from_tides_id, to_tides_id, reason, who)
    SELECT
        'split' AS action,
        split.survey,
        split.object_id,
        split.tides_id AS from_tides_id,
        added.tides_id AS to_tides_id,
        %(reason)s::text AS reason,
        %(who)s::text AS who
    FROM split
    CROSS JOIN added
),

moved AS (
    UPDATE association
    SET
        tides_id = added.tides_id,
        separation_arcsec = split.left_arcsec,
        how = 'split',
        associated_at = now()
    FROM split
    CROSS JOIN added
    WHERE association.survey = split.survey AND association.object_id = split.object_id
)

SELECT
    added.tides_id,
    added.name,
    split.tides_id AS left_id,
    split.name AS left_name
FROM split
CROSS JOIN added;
