-- purpose: list what 4MOST should know about or still takes for active; without those it was asked about in vain
-- returns: one row a target

SELECT
    tides_master.tides_id,
    tides_master.name,
    tides_master.ra,
    tides_master.decl,
    tides_master.last_detection_mjd,
    tides_master.u_latest_mag,
    tides_master.g_latest_mag,
    tides_master.r_latest_mag,
    tides_master.i_latest_mag,
    tides_master.z_latest_mag,
    tides_master.y_latest_mag,
    tides_master.active,
    tides_master.pk_4most,
    tides_master.wanted_4most,
    tides_master.told_4most,
    tides_master.refused_4most,
    tides_master.refused_4most_payload,
    tides_master.date_ingested
FROM tides_master
WHERE
    tides_master.asked_4most IS NULL
    AND (tides_master.active OR (tides_master.told_4most ->> 'is_active')::boolean)
ORDER BY tides_master.tides_id;
