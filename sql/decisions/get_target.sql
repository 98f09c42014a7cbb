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
    -- As an array of keys: an OR of three ways to them reads the whole table.
    tides_master.tides_id = any(array(
        SELECT named.tides_id
        FROM tides_master AS named
        WHERE named.name = %(object_id)s::text
        UNION ALL
        SELECT association.tides_id
        FROM association
        WHERE
            association.object_id = %(object_id)s::text
            AND (%(survey)s::text IS NULL OR association.survey = %(survey)s::text)
        UNION ALL
        SELECT first.tides_id
        FROM tides_master AS first
        WHERE
            first.object_id = %(object_id)s::text
            AND (%(survey)s::text IS NULL OR first.survey = %(survey)s::text)
    ))
ORDER BY tides_master.merged_into IS NOT NULL, tides_master.survey, tides_master.tides_id;
