-- purpose: make a target, with the next name of the year, of each new object that has nobody within the radius
-- needs: tides_stage, new_object, neighbour
-- params: match_radius double precision (arcsec), year integer, prefix text (of names)

WITH founder AS (
    SELECT
        new_object.number,
        new_object.survey,
        new_object.object_id,
        row_number() OVER (ORDER BY new_object.number) AS place,
        count(*) OVER () AS founders
    FROM new_object
    WHERE
        new_object.tides_id IS NULL
        AND NOT EXISTS (
            SELECT
            FROM neighbour
            WHERE
                neighbour.number = new_object.number
                AND neighbour.separation_arcsec <= %(match_radius)s::double precision
        )
),

counted AS (
    INSERT INTO name_counter AS counter (year, used)
    SELECT
        %(year)s::integer,
        max(founder.founders)
    FROM founder
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
        tides_name(
            %(year)s::integer, counted.used - founder.founders + founder.place, %(prefix)s::text
        ) AS name,
        tides_stage.survey,
        tides_stage.object_id,
        tides_stage.ra,
        tides_stage.decl,
        tides_stage.first_detection_mjd,
        tides_stage.last_detection_mjd,
        tides_stage.n_detections,
        tides_stage.sherlock_class,
        tides_stage.selection_function
    FROM founder
    CROSS JOIN counted
    INNER JOIN tides_stage
        ON founder.survey = tides_stage.survey AND founder.object_id = tides_stage.object_id
    ORDER BY founder.place
    RETURNING tides_master.tides_id, tides_master.survey, tides_master.object_id
)

UPDATE new_object
SET
    tides_id = added.tides_id,
    separation_arcsec = 0,
    how = 'first'
FROM added
WHERE new_object.survey = added.survey AND new_object.object_id = added.object_id;
