-- purpose: let targets be what their objects say, after some came or went
-- params: tides_ids bigint[]

UPDATE tides_master
SET
    ra = fact.ra,
    decl = fact.decl,
    first_detection_mjd = fact.first_detection_mjd,
    last_detection_mjd = fact.last_detection_mjd,
    n_detections = fact.n_detections,
    sherlock_class = fact.sherlock_class,
    survey = reporter.survey,
    object_id = reporter.object_id
FROM target_facts(%(tides_ids)s::bigint[]) AS fact
INNER JOIN (
    SELECT DISTINCT ON (association.tides_id)
        association.tides_id,
        association.survey,
        association.object_id
    FROM association
    INNER JOIN tides_master AS held ON association.tides_id = held.tides_id
    WHERE association.tides_id = ANY(%(tides_ids)s::bigint[])
    ORDER BY
        association.tides_id,
        (association.survey = held.survey AND association.object_id = held.object_id) DESC,
        association.first_detection_mjd, association.survey, association.object_id
) AS reporter ON fact.tides_id = reporter.tides_id
WHERE tides_master.tides_id = fact.tides_id;
