-- purpose: store what the surveys say of the staged objects, and what their targets are by it
-- needs: tides_stage, new_object, changed_target, after targets/settle_new
-- returns: inserted bigint, updated bigint: numbers of targets; one that would not change is not counted
-- Stale, repeated and out-of-order rows do no harm: the newest detection, the brightest magnitude, the earliest epoch
-- win, whichever comes first. Where an object is matched never changes.

WITH upserted AS (
    INSERT INTO association AS known (
        survey,
        object_id,
        tides_id,
        match_ra,
        match_decl,
        separation_arcsec,
        how,
        ra,
        decl,
        first_detection_mjd,
        last_detection_mjd,
        n_detections,
        sherlock_class,
        u_latest_mag,
        u_latest_mjd,
        u_brightest_mag,
        u_brightest_mjd,
        g_latest_mag,
        g_latest_mjd,
        g_brightest_mag,
        g_brightest_mjd,
        r_latest_mag,
        r_latest_mjd,
        r_brightest_mag,
        r_brightest_mjd,
        i_latest_mag,
        i_latest_mjd,
        i_brightest_mag,
        i_brightest_mjd,
        z_latest_mag,
        z_latest_mjd,
        z_brightest_mag,
        z_brightest_mjd,
        y_latest_mag,
        y_latest_mjd,
        y_brightest_mag,
        y_brightest_mjd
    )
    SELECT
        tides_stage.survey,
        tides_stage.object_id,
        coalesce(held.tides_id, new_object.tides_id) AS tides_id,
        tides_stage.ra AS match_ra,
        tides_stage.decl AS match_decl,
        coalesce(held.separation_arcsec, new_object.separation_arcsec) AS separation_arcsec,
        coalesce(held.how, new_object.how) AS how,
        tides_stage.ra,
        tides_stage.decl,
        tides_stage.first_detection_mjd,
        tides_stage.last_detection_mjd,
        tides_stage.n_detections,
        tides_stage.sherlock_class,
        tides_stage.u_latest_mag,
        tides_stage.u_latest_mjd,
        tides_stage.u_brightest_mag,
        tides_stage.u_brightest_mjd,
        tides_stage.g_latest_mag,
        tides_stage.g_latest_mjd,
        tides_stage.g_brightest_mag,
        tides_stage.g_brightest_mjd,
        tides_stage.r_latest_mag,
        tides_stage.r_latest_mjd,
        tides_stage.r_brightest_mag,
        tides_stage.r_brightest_mjd,
        tides_stage.i_latest_mag,
        tides_stage.i_latest_mjd,
        tides_stage.i_brightest_mag,
        tides_stage.i_brightest_mjd,
        tides_stage.z_latest_mag,
        tides_stage.z_latest_mjd,
        tides_stage.z_brightest_mag,
        tides_stage.z_brightest_mjd,
        tides_stage.y_latest_mag,
        tides_stage.y_latest_mjd,
        tides_stage.y_brightest_mag,
        tides_stage.y_brightest_mjd
    FROM tides_stage
    LEFT JOIN association AS held
        ON tides_stage.survey = held.survey AND tides_stage.object_id = held.object_id
    LEFT JOIN new_object
        ON tides_stage.survey = new_object.survey AND tides_stage.object_id = new_object.object_id
    ON CONFLICT (survey, object_id) DO UPDATE
        SET
            ra = newest(excluded.last_detection_mjd, excluded.ra, known.last_detection_mjd, known.ra),
            decl = newest(excluded.last_detection_mjd, excluded.decl, known.last_detection_mjd, known.decl),
            first_detection_mjd = least(excluded.first_detection_mjd, known.first_detection_mjd),
            last_detection_mjd = greatest(excluded.last_detection_mjd, known.last_detection_mjd),
            n_detections = greatest(excluded.n_detections, known.n_detections),
            sherlock_class
            = newest(
                excluded.last_detection_mjd, coalesce(excluded.sherlock_class, known.sherlock_class),
                known.last_detection_mjd, coalesce(known.sherlock_class, excluded.sherlock_class)
            ),
            u_latest_mag = newest(excluded.u_latest_mjd, excluded.u_latest_mag, known.u_latest_mjd, known.u_latest_mag),
            u_latest_mjd = greatest(excluded.u_latest_mjd, known.u_latest_mjd),
            u_brightest_mag = least(excluded.u_brightest_mag, known.u_brightest_mag),
            u_brightest_mjd
            = newest(
                -excluded.u_brightest_mag, excluded.u_brightest_mjd, -known.u_brightest_mag, known.u_brightest_mjd
            ),
            g_latest_mag = newest(excluded.g_latest_mjd, excluded.g_latest_mag, known.g_latest_mjd, known.g_latest_mag),
            g_latest_mjd = greatest(excluded.g_latest_mjd, known.g_latest_mjd),
            g_brightest_mag = least(excluded.g_brightest_mag, known.g_brightest_mag),
            g_brightest_mjd
            = newest(
                -excluded.g_brightest_mag, excluded.g_brightest_mjd, -known.g_brightest_mag, known.g_brightest_mjd
            ),
            r_latest_mag = newest(excluded.r_latest_mjd, excluded.r_latest_mag, known.r_latest_mjd, known.r_latest_mag),
            r_latest_mjd = greatest(excluded.r_latest_mjd, known.r_latest_mjd),
            r_brightest_mag = least(excluded.r_brightest_mag, known.r_brightest_mag),
            r_brightest_mjd
            = newest(
                -excluded.r_brightest_mag, excluded.r_brightest_mjd, -known.r_brightest_mag, known.r_brightest_mjd
            ),
            i_latest_mag = newest(excluded.i_latest_mjd, excluded.i_latest_mag, known.i_latest_mjd, known.i_latest_mag),
            i_latest_mjd = greatest(excluded.i_latest_mjd, known.i_latest_mjd),
            i_brightest_mag = least(excluded.i_brightest_mag, known.i_brightest_mag),
            i_brightest_mjd
            = newest(
                -excluded.i_brightest_mag, excluded.i_brightest_mjd, -known.i_brightest_mag, known.i_brightest_mjd
            ),
            z_latest_mag = newest(excluded.z_latest_mjd, excluded.z_latest_mag, known.z_latest_mjd, known.z_latest_mag),
            z_latest_mjd = greatest(excluded.z_latest_mjd, known.z_latest_mjd),
            z_brightest_mag = least(excluded.z_brightest_mag, known.z_brightest_mag),
            z_brightest_mjd
            = newest(
                -excluded.z_brightest_mag, excluded.z_brightest_mjd, -known.z_brightest_mag, known.z_brightest_mjd
            ),
            y_latest_mag = newest(excluded.y_latest_mjd, excluded.y_latest_mag, known.y_latest_mjd, known.y_latest_mag),
            y_latest_mjd = greatest(excluded.y_latest_mjd, known.y_latest_mjd),
            y_brightest_mag = least(excluded.y_brightest_mag, known.y_brightest_mag),
            y_brightest_mjd
            = newest(-excluded.y_brightest_mag, excluded.y_brightest_mjd, -known.y_brightest_mag, known.y_brightest_mjd)
    RETURNING known.survey, known.object_id, known.tides_id
)

INSERT INTO changed_target (tides_id, is_new)
SELECT
    upserted.tides_id,
    bool_or(coalesce(new_object.how = 'first', FALSE)) AS is_new
FROM upserted
LEFT JOIN new_object ON upserted.survey = new_object.survey AND upserted.object_id = new_object.object_id
GROUP BY upserted.tides_id
ON CONFLICT (tides_id) DO NOTHING;

-- A new target of one object is that already.
WITH touched AS (
    SELECT
        association.tides_id,
        max(tides_stage.selection_function) AS selection_function
    FROM tides_stage
    INNER JOIN association
        ON tides_stage.survey = association.survey AND tides_stage.object_id = association.object_id
    LEFT JOIN new_object
        ON tides_stage.survey = new_object.survey AND tides_stage.object_id = new_object.object_id
    GROUP BY association.tides_id
    HAVING count(*) > 1 OR bool_or(new_object.how IS DISTINCT FROM 'first')
),

refreshed AS (
    UPDATE tides_master
    SET
        ra = fact.ra,
        decl = fact.decl,
        first_detection_mjd = fact.first_detection_mjd,
        last_detection_mjd = fact.last_detection_mjd,
        n_detections = fact.n_detections,
        sherlock_class = fact.sherlock_class,
        selection_function = touched.selection_function
    FROM target_facts(array(SELECT touched.tides_id FROM touched)) AS fact
    INNER JOIN touched ON fact.tides_id = touched.tides_id
    WHERE tides_master.tides_id = fact.tides_id
    RETURNING tides_master.tides_id
)

INSERT INTO changed_target (tides_id, is_new)
SELECT
    refreshed.tides_id,
    FALSE AS is_new
FROM refreshed
ON CONFLICT (tides_id) DO NOTHING;

SELECT
    count(*) FILTER (WHERE changed_target.is_new) AS inserted,
    count(*) FILTER (WHERE NOT changed_target.is_new) AS updated
FROM changed_target;
