-- purpose: get what tides_master has now of the targets that are called so, or have or first had an object of this name
-- params: object_id text (or the name of a target), survey text (NULL for any; of the object)
-- returns: one row a target, the one that has the objects now first

SELECT
    tides_master.tides_id,
    tides_master.survey,
    tides_master.object_id,
    tides_master.name,
    tides_master.active,
    tides_master.inactive_reason,
    tides_master.last_detection_mjd,
    tides_master.created_at,
    tides_master.updated_at,
    tides_master.pk_4most,
    tides_master.refused_4most,
    tides_master.wanted_4most,
    tides_master.date_ingested,
    kept.name AS merged_into
FROM tides_master
LEFT JOIN tides_master AS kept ON tides_master.merged_into = kept.tides_id
WHERE
    tides_master.tides_id = any(array(SELECT targets_called(%(object_id)s::text, %(survey)s::text)))
ORDER BY tides_master.merged_into IS NOT NULL, tides_master.survey, tides_master.tides_id;
