-- purpose: list what 4MOST should know about or still takes for active; without those it was asked about in vain
-- params: tides_ids bigint[] (of these, NULL: of all)
-- returns: one row a target; magnitudes jsonb has the newest of each survey and band, as
--          {"ztf_r": {"mag": 19.2, "mjd": 61000.1, "error": 0.1}}; tonight jsonb how bright it is expected, by band,
--          NULL if that was not worked out; annotations jsonb the newest redshifts and reddening that brokers give, as
--          {"tns.redshift": {"number": 0.05, "of": "ztf ZTF26aaaaaaa"}}; host jsonb its galaxy, NULL for a transient

WITH listed AS (
    SELECT tides_master.tides_id
    FROM tides_master
    WHERE
        tides_master.asked_4most IS NULL
        AND (tides_master.active OR (tides_master.told_4most ->> 'is_active')::boolean)
        AND (
            %(tides_ids)s::bigint[] IS NULL
            OR tides_master.tides_id = ANY(%(tides_ids)s::bigint[])
        )
),

-- Of equally new ones the brightest.
newest_of AS (
    SELECT
        association.tides_id,
        association.survey || '_' || bright.band AS name,
        max(ARRAY[bright.latest_mjd, -bright.latest_mag, -bright.latest_error]) AS point
    FROM listed
    INNER JOIN association ON listed.tides_id = association.tides_id
    INNER JOIN object_brightness AS bright
        ON association.survey = bright.survey AND association.object_id = bright.object_id
    WHERE bright.latest_mag IS NOT NULL
    GROUP BY association.tides_id, association.survey, bright.band
),

measured AS (
    SELECT
        newest_of.tides_id,
        jsonb_object_agg(
            newest_of.name,
            jsonb_build_object('mag', -newest_of.point[2], 'mjd', newest_of.point[1], 'error', -newest_of.point[3])
        ) AS magnitudes
    FROM newest_of
    GROUP BY newest_of.tides_id
),

noted AS (
    SELECT DISTINCT ON (association.tides_id, annotation.name)
        association.tides_id,
        annotation.name,
        annotation.number,
        annotation.survey || ' ' || annotation.object_id AS object
    FROM listed
    INNER JOIN association ON listed.tides_id = association.tides_id
    INNER JOIN annotation
        ON association.survey = annotation.survey AND association.object_id = annotation.object_id
    WHERE
        annotation.name IN (
            'sherlock.spectroscopic_redshift', 'tns.redshift', 'sherlock.photometric_redshift',
            'sherlock.photometric_redshift_error', 'legacy.photometric_redshift', 'legacy.photometric_redshift_error',
            'lasair.ebv'
        )
    ORDER BY association.tides_id ASC, annotation.name ASC, annotation.mjd DESC, annotation.annotation_id DESC
),

known AS (
    SELECT
        noted.tides_id,
        jsonb_object_agg(noted.name, jsonb_build_object('number', noted.number, 'of', noted.object)) AS annotations
    FROM noted
    GROUP BY noted.tides_id
)

SELECT
    tides_master.tides_id,
    tides_master.name,
    tides_master.ra,
    tides_master.decl,
    tides_master.last_detection_mjd,
    coalesce(measured.magnitudes, '{}') AS magnitudes,
    coalesce(known.annotations, '{}') AS annotations,
    CASE
        WHEN target_tonight.tides_id IS NOT NULL
            THEN
                jsonb_build_object(
                    'at_mjd', target_tonight.at_mjd,
                    'system', target_tonight.system,
                    'mags', target_tonight.mags,
                    'errors', target_tonight.errors,
                    'methods', target_tonight.methods
                )
    END AS tonight,
    CASE WHEN host.host_id IS NOT NULL THEN to_jsonb(host) END AS host,
    tides_master.active,
    tides_master.pk_4most,
    tides_master.wanted_4most,
    tides_master.told_4most,
    tides_master.respected_4most,
    tides_master.refused_4most,
    tides_master.refused_4most_payload,
    coalesce(tides_master.refused_4most_until > now(), FALSE) AS is_refused_still,
    tides_master.otherwise_4most,
    tides_master.date_ingested,
    extract(EPOCH FROM ruled.forced_until)::double precision / 86400 + 40587 AS forced_until_mjd
FROM listed
INNER JOIN tides_master ON listed.tides_id = tides_master.tides_id
LEFT JOIN ruled_targets(array(SELECT mine.tides_id FROM listed AS mine), '-infinity') AS ruled
    ON listed.tides_id = ruled.tides_id
LEFT JOIN measured ON listed.tides_id = measured.tides_id
LEFT JOIN known ON listed.tides_id = known.tides_id
LEFT JOIN target_tonight ON listed.tides_id = target_tonight.tides_id
LEFT JOIN host ON listed.tides_id = host.tides_id
ORDER BY tides_master.tides_id;
