-- purpose: make a target, with the next name of the year, of each galaxy that is wanted and none yet
-- needs: host, host_rule, judge_galaxies, name_counter, tides_name
-- params: now_mjd double precision (MJD, UTC), year integer, prefix text (of names of hosts)

WITH wanted AS (
    SELECT
        host.host_id,
        row_number() OVER (ORDER BY host.host_id) AS place,
        count(*) OVER () AS number
    FROM judge_galaxies(
            array(
                SELECT DISTINCT unknown.host_id
                FROM host AS unknown
                INNER JOIN host_candidate ON unknown.host_id = host_candidate.host_id
                INNER JOIN association
                    ON
                        host_candidate.object_id = association.object_id
                        AND host_candidate.survey = association.survey
                INNER JOIN tides_master AS transient ON association.tides_id = transient.tides_id
                WHERE
                    unknown.tides_id IS NULL
                    AND unknown.ra IS NOT NULL
                    AND unknown.mag IS NOT NULL
                    AND NOT transient.active
            ),
            %(now_mjd)s::double precision
        ) AS judged
    INNER JOIN host ON judged.host_id = host.host_id
    WHERE judged.reason IS NULL
),

counted AS (
    INSERT INTO name_counter AS counter (year, used)
    SELECT
        %(year)s::integer,
        max(wanted.number)
    FROM wanted
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
        selection_function,
        inactive_reason
    )
    SELECT
        tides_name(%(year)s::integer, counted.used - wanted.number + wanted.place, %(prefix)s::text),
        'host',
        host.host_id::text,
        host.ra,
        host.decl,
        %(now_mjd)s::double precision,
        %(now_mjd)s::double precision,
        0,
        'host',
        'waiting'
    FROM wanted
    CROSS JOIN counted
    INNER JOIN host ON wanted.host_id = host.host_id
    ORDER BY wanted.place
    RETURNING tides_master.tides_id, tides_master.object_id
)

UPDATE host
SET tides_id = added.tides_id
FROM added
WHERE host.host_id = added.object_id::bigint;
