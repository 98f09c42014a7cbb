-- purpose: get what the Transient Name Server says of the target that an object is, or that is called so
-- needs: tns_match, association
-- params: object_id text (or the name of a target), survey text (NULL for any; of the object)
-- returns: at most one row a target

SELECT
    tns_match.tides_id,
    tns_match.tns_name,
    tns_match.object_type,
    tns_match.redshift,
    tns_match.matched_by,
    tns_match.separation_arcsec
FROM tns_match
-- As an array it goes into the view, which would else look for all targets.
WHERE
    tns_match.tides_id = any(array(
        SELECT association.tides_id
        FROM association
        WHERE
            association.object_id = %(object_id)s::text
            AND (%(survey)s::text IS NULL OR association.survey = %(survey)s::text)
        UNION ALL
        SELECT kept_target(tides_master.tides_id)
        FROM tides_master
        WHERE tides_master.name = %(object_id)s::text
    ))
ORDER BY tns_match.tides_id;
