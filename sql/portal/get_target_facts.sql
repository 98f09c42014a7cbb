-- purpose: get what a person wants to see of a target at once
-- params: tides_id bigint
-- returns: one row: columns of tides_master; at_mjd, system, mags, errors, methods of the coming night (NULL where that
--          was not worked out); tns_names text[]

SELECT
    tides_master.tides_id,
    tides_master.name,
    tides_master.ra,
    tides_master.decl,
    tides_master.first_detection_mjd,
    tides_master.last_detection_mjd,
    tides_master.n_detections,
    tides_master.sherlock_class,
    tides_master.selection_function,
    tides_master.has_spectrum,
    tides_master.told_4most,
    tides_master.told_4most_at,
    tides_master.date_ingested,
    tonight.at_mjd,
    tonight.system,
    tonight.mags,
    tonight.errors,
    tonight.methods
FROM tides_master
LEFT JOIN target_tonight AS tonight ON tides_master.tides_id = tonight.tides_id
WHERE tides_master.tides_id = %(tides_id)s::bigint;
