-- purpose: describe some targets for a list
-- params: tides_ids bigint[] (NULL for all but those that were merged into others)
-- returns: one row a target, by tides_id: name, survey and object_id (of the object that was reported first), objects
--          text (survey and name of each), ra and decl [deg], state text (active, or why it is off),
--          selection_function, sherlock_class, first_detection_mjd and last_detection_mjd [MJD], n_detections;
--          mag, mag_band and mag_mjd of the newest measurement; has_spectrum, pk_4most, ostd_targ_id, ostd_u_obj_id,
--          date_ingested, refused_4most, created_at

SELECT
    tides_master.tides_id,
    tides_master.name,
    tides_master.survey,
    tides_master.object_id,
    named.objects,
    tides_master.ra,
    tides_master.decl,
    CASE WHEN tides_master.active THEN 'active' ELSE coalesce(tides_master.inactive_reason, 'off') END AS state,
    tides_master.selection_function,
    tides_master.sherlock_class,
    tides_master.first_detection_mjd,
    tides_master.last_detection_mjd,
    tides_master.n_detections,
    measured.latest_mag AS mag,
    measured.survey || ' ' || measured.band AS mag_band,
    measured.latest_mjd AS mag_mjd,
    tides_master.has_spectrum,
    tides_master.pk_4most,
    tides_master.ostd_targ_id,
    tides_master.ostd_u_obj_id,
    tides_master.date_ingested,
    tides_master.refused_4most,
    tides_master.created_at
FROM tides_master
LEFT JOIN
    LATERAL (
        SELECT
            string_agg(
                association.survey || ' ' || association.object_id, '; ' ORDER BY
                    association.survey, association.object_id
            ) AS objects
        FROM association
        WHERE association.tides_id = tides_master.tides_id
    ) AS named
    ON TRUE
LEFT JOIN
    LATERAL (
        SELECT
            target_magnitude.survey,
            target_magnitude.band,
            target_magnitude.latest_mag,
            target_magnitude.latest_mjd
        FROM target_magnitude
        WHERE target_magnitude.tides_id = tides_master.tides_id
        ORDER BY target_magnitude.latest_mjd DESC, target_magnitude.latest_mag, target_magnitude.band
        LIMIT 1
    ) AS measured
    ON TRUE
WHERE
    (%(tides_ids)s::bigint[] IS NULL AND tides_master.merged_into IS NULL)
    OR tides_master.tides_id = ANY(%(tides_ids)s::bigint[])
ORDER BY tides_master.tides_id;
