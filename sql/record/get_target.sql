-- purpose: get what tides_master has of an object now
-- params: object_id text, survey text (NULL for any)
-- returns: at most one row for each survey

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
    tides_master.date_ingested
FROM tides_master
WHERE
    tides_master.object_id = %(object_id)s::text
    AND (%(survey)s::text IS NULL OR tides_master.survey = %(survey)s::text)
ORDER BY tides_master.survey;
