-- purpose: store what the surveys say of the staged objects, and what their targets are by it
-- needs: tides_stage, brightness_stage, new_object, changed_target, after targets/settle_new
-- params: latest_mjd double precision (MJD; what is known of later epochs cannot be, and gives way)
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
        scatter_arcsec,
        first_detection_mjd,
        last_detection_mjd,
        n_detections,
        sherlock_class,
        passes
    )
    SELECT
        tides_stage.survey,
        tides_stage.object_id,
        coalesce(held.tides_id, new_object.tides_id) AS tides_id,
        coalesce(held.match_ra, tides_stage.ra) AS match_ra,
        coalesce(held.match_decl, tides_stage.decl) AS match_decl,
        coalesce(held.separation_arcsec, new_object.separation_arcsec) AS separation_arcsec,
        coalesce(held.how, new_object.how) AS how,
        coalesce(tides_stage.ra, held.ra) AS ra,
        coalesce(tides_stage.decl, held.decl) AS decl,
        coalesce(tides_stage.scatter_arcsec, held.scatter_arcsec) AS scatter_arcsec,
        tides_stage.first_detection_mjd,
        tides_stage.last_detection_mjd,
        tides_stage.n_detections,
        tides_stage.sherlock_class,
        tides_stage.passes
    FROM tides_stage
    LEFT JOIN association AS held
        ON tides_stage.survey = held.survey AND tides_stage.object_id = held.object_id
    LEFT JOIN new_object
        ON tides_stage.survey = new_object.survey AND tides_stage.object_id = new_object.object_id
    ON CONFLICT (survey, object_id) DO UPDATE
        SET
            ra = newest(
                excluded.last_detection_mjd, excluded.ra,
                until(known.last_detection_mjd, %(latest_mjd)s::double precision), known.ra
            ),
            decl = newest(
                excluded.last_detection_mjd, excluded.decl,
                until(known.last_detection_mjd, %(latest_mjd)s::double precision), known.decl
            ),
            scatter_arcsec = newest(
                excluded.last_detection_mjd, excluded.scatter_arcsec,
                until(known.last_detection_mjd, %(latest_mjd)s::double precision), known.scatter_arcsec
            ),
            first_detection_mjd = least(excluded.first_detection_mjd, known.first_detection_mjd),
            last_detection_mjd = greatest(
                excluded.last_detection_mjd, until(known.last_detection_mjd, %(latest_mjd)s::double precision)
            ),
            n_detections = greatest(excluded.n_detections, known.n_detections),
            sherlock_class = newest(
                excluded.last_detection_mjd, coalesce(excluded.sherlock_class, known.sherlock_class),
                until(known.last_detection_mjd, %(latest_mjd)s::double precision),
                coalesce(known.sherlock_class, excluded.sherlock_class)
            ),
            passes = newest(
                excluded.last_detection_mjd, excluded.passes,
                until(known.last_detection_mjd, %(latest_mjd)s::double precision), known.passes
            )
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

WITH upserted AS (
    INSERT INTO object_brightness AS known (
        survey,
        object_id,
        band,
        latest_mag,
        latest_error,
        latest_mjd,
        brightest_mag,
        brightest_error,
        brightest_mjd,
        n_detections,
        limit_mag,
        limit_mjd,
        forced_flux,
        forced_error,
        forced_mjd
    )
    SELECT
        brightness_stage.survey,
        brightness_stage.object_id,
        brightness_stage.band,
        brightness_stage.latest_mag,
        brightness_stage.latest_error,
        brightness_stage.latest_mjd,
        brightness_stage.brightest_mag,
        brightness_stage.brightest_error,
        brightness_stage.brightest_mjd,
        brightness_stage.n_detections,
        brightness_stage.limit_mag,
        brightness_stage.limit_mjd,
        brightness_stage.forced_flux,
        brightness_stage.forced_error,
        brightness_stage.forced_mjd
    FROM brightness_stage
    ON CONFLICT (survey, object_id, band) DO UPDATE
        SET
            latest_mag = newest(
                excluded.latest_mjd, excluded.latest_mag,
                until(known.latest_mjd, %(latest_mjd)s::double precision), known.latest_mag
            ),
            latest_error = newest(
                excluded.latest_mjd, excluded.latest_error,
                until(known.latest_mjd, %(latest_mjd)s::double precision), known.latest_error
            ),
            latest_mjd = greatest(excluded.latest_mjd, until(known.latest_mjd, %(latest_mjd)s::double precision)),
            brightest_mag = newest(
                -excluded.brightest_mag, excluded.brightest_mag,
                CASE
                    WHEN coalesce(known.brightest_mjd <= %(latest_mjd)s::double precision, TRUE)
                        THEN -known.brightest_mag
                END, known.brightest_mag
            ),
            brightest_error = newest(
                -excluded.brightest_mag, excluded.brightest_error,
                CASE
                    WHEN coalesce(known.brightest_mjd <= %(latest_mjd)s::double precision, TRUE)
                        THEN -known.brightest_mag
                END, known.brightest_error
            ),
            brightest_mjd = newest(
                -excluded.brightest_mag, excluded.brightest_mjd,
                CASE
                    WHEN coalesce(known.brightest_mjd <= %(latest_mjd)s::double precision, TRUE)
                        THEN -known.brightest_mag
                END, known.brightest_mjd
            ),
            n_detections = greatest(excluded.n_detections, known.n_detections),
            limit_mag = newest(
                excluded.limit_mjd, excluded.limit_mag,
                until(known.limit_mjd, %(latest_mjd)s::double precision), known.limit_mag
            ),
            limit_mjd = greatest(excluded.limit_mjd, until(known.limit_mjd, %(latest_mjd)s::double precision)),
            forced_flux = newest(
                excluded.forced_mjd, excluded.forced_flux,
                until(known.forced_mjd, %(latest_mjd)s::double precision), known.forced_flux
            ),
            forced_error = newest(
                excluded.forced_mjd, excluded.forced_error,
                until(known.forced_mjd, %(latest_mjd)s::double precision), known.forced_error
            ),
            forced_mjd = greatest(excluded.forced_mjd, until(known.forced_mjd, %(latest_mjd)s::double precision))
    RETURNING known.survey, known.object_id
)

INSERT INTO changed_target (tides_id, is_new)
SELECT DISTINCT
    association.tides_id,
    FALSE AS is_new
FROM upserted
INNER JOIN association ON upserted.survey = association.survey AND upserted.object_id = association.object_id
ON CONFLICT (tides_id) DO NOTHING;

-- A new target of one object is that already. One that does not pass now stays what once chose it.
WITH touched AS (
    SELECT
        association.tides_id,
        max(tides_stage.selection_function) FILTER (WHERE tides_stage.passes) AS selection_function
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
        selection_function = coalesce(touched.selection_function, tides_master.selection_function)
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
