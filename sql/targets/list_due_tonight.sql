-- purpose: list the targets whose brightness on a night is not worked out, or was before their newest points
-- params: at_mjd double precision (MJD, of the night), since_mjd double precision (MJD; one that was seen last before
--         it is left out: of so long ago nothing follows)
-- returns: tides_id bigint

SELECT tides_master.tides_id
FROM tides_master
LEFT JOIN target_tonight ON tides_master.tides_id = target_tonight.tides_id
WHERE
    tides_master.last_detection_mjd >= %(since_mjd)s::double precision
    AND tides_master.survey <> 'host'
    AND tides_master.merged_into IS NULL
    AND NOT tides_master.has_spectrum
    AND (
        target_tonight.at_mjd IS DISTINCT FROM %(at_mjd)s::double precision
        OR EXISTS (
            SELECT
            FROM association
            INNER JOIN target_light_curve
                ON
                    association.survey = target_light_curve.survey
                    AND association.object_id = target_light_curve.object_id
            WHERE
                association.tides_id = tides_master.tides_id
                AND greatest(target_light_curve.decided_at, association.associated_at) > target_tonight.worked_out_at
        )
    )
ORDER BY tides_master.tides_id;
