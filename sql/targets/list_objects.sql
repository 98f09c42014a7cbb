-- purpose: list the objects of some targets, in the order in which they were first seen
-- params: tides_ids bigint[]
-- returns: one row an object

SELECT
    association.tides_id,
    tides_master.name,
    association.survey,
    association.object_id,
    association.how,
    association.separation_arcsec,
    association.associated_at,
    association.ra,
    association.decl,
    association.first_detection_mjd,
    association.last_detection_mjd,
    association.n_detections
FROM association
INNER JOIN tides_master ON association.tides_id = tides_master.tides_id
WHERE association.tides_id = ANY(%(tides_ids)s::bigint[])
ORDER BY
    association.tides_id, association.first_detection_mjd, association.survey, association.object_id;
