-- purpose: let the redshifts in the list of the TNS be annotations of our targets, as those that brokers repeat
-- needs: tns_match, tns_object, annotate
-- returns: one row: stored bigint
-- units: epochs in MJD (UTC)

SELECT
    coalesce(
        annotate(
            jsonb_agg(
                jsonb_build_object(
                    'survey', tns_match.survey, 'object_id', tns_match.object_id, 'name', 'tns.redshift',
                    'number', tns_match.redshift, 'version', tns_match.tns_name,
                    'mjd', extract(EPOCH FROM coalesce(tns_object.modified_at, timestamp '2000-01-01')) / 86400 + 40587
                )
            ),
            'tns',
            FALSE
        ),
        0
    ) AS stored
FROM tns_match
INNER JOIN tns_object ON tns_match.tns_name = tns_object.name
WHERE tns_match.redshift > 0
HAVING count(*) > 0;
