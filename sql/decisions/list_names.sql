-- purpose: list all objects of the targets that are called so, or have an object of this name
-- params: object_id text (or the name of a target), survey text (NULL for any; of the object)
-- returns: tides_id bigint, name text, survey text, object_id text

SELECT
    tides_master.tides_id,
    tides_master.name,
    association.survey,
    association.object_id
FROM tides_master
INNER JOIN association ON tides_master.tides_id = association.tides_id
WHERE
    tides_master.tides_id = any(array(
        SELECT named.tides_id
        FROM tides_master AS named
        WHERE named.name = %(object_id)s::text
        UNION ALL
        SELECT asked.tides_id
        FROM association AS asked
        WHERE
            asked.object_id = %(object_id)s::text
            AND (%(survey)s::text IS NULL OR asked.survey = %(survey)s::text)
    ))
ORDER BY tides_master.tides_id, association.first_detection_mjd, association.survey, association.object_id;
