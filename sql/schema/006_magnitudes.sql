-- purpose: the magnitudes of targets, for a person in psql
-- makes: the views target_magnitude, target_magnitudes
-- units: epochs in MJD (UTC), magnitudes as the survey gives them

-- For a person: a row for each target, survey and band; the newest and the brightest of the survey's objects.
CREATE VIEW target_magnitude AS
WITH measured AS (
    SELECT
        association.tides_id,
        association.survey,
        band.name AS band,
        max(ARRAY[band.latest_mjd, -band.latest_mag]) FILTER (WHERE band.latest_mag IS NOT NULL) AS latest,
        max(ARRAY[-band.brightest_mag, -band.brightest_mjd]) FILTER (WHERE band.brightest_mag IS NOT NULL) AS brightest
    FROM association
    CROSS JOIN
        LATERAL (
            VALUES
            (
                'u',
                association.u_latest_mag, association.u_latest_mjd,
                association.u_brightest_mag, association.u_brightest_mjd
            ),
            (
                'g',
                association.g_latest_mag, association.g_latest_mjd,
                association.g_brightest_mag, association.g_brightest_mjd
            ),
            (
                'r',
                association.r_latest_mag, association.r_latest_mjd,
                association.r_brightest_mag, association.r_brightest_mjd
            ),
            (
                'i',
                association.i_latest_mag, association.i_latest_mjd,
                association.i_brightest_mag, association.i_brightest_mjd
            ),
            (
                'z',
                association.z_latest_mag, association.z_latest_mjd,
                association.z_brightest_mag, association.z_brightest_mjd
            ),
            (
                'y',
                association.y_latest_mag, association.y_latest_mjd,
                association.y_brightest_mag, association.y_brightest_mjd
            )
        ) AS band (name, latest_mag, latest_mjd, brightest_mag, brightest_mjd)
    WHERE band.latest_mag IS NOT NULL
    GROUP BY association.tides_id, association.survey, band.name
)

SELECT
    measured.tides_id,
    tides_master.name,
    measured.survey,
    measured.band,
    -measured.latest[2] AS latest_mag,
    measured.latest[1] AS latest_mjd,
    -measured.brightest[1] AS brightest_mag,
    -measured.brightest[2] AS brightest_mjd
FROM measured
INNER JOIN tides_master ON measured.tides_id = tides_master.tides_id;

-- The same, a row a target.
CREATE VIEW target_magnitudes AS
SELECT
    tides_master.tides_id,
    tides_master.name,
    max(seen.latest_mag) FILTER (WHERE seen.survey = 'ztf' AND seen.band = 'g') AS ztf_g_latest_mag,
    max(seen.latest_mjd) FILTER (WHERE seen.survey = 'ztf' AND seen.band = 'g') AS ztf_g_latest_mjd,
    max(seen.brightest_mag) FILTER (WHERE seen.survey = 'ztf' AND seen.band = 'g') AS ztf_g_brightest_mag,
    max(seen.brightest_mjd) FILTER (WHERE seen.survey = 'ztf' AND seen.band = 'g') AS ztf_g_brightest_mjd,
    max(seen.latest_mag) FILTER (WHERE seen.survey = 'ztf' AND seen.band = 'r') AS ztf_r_latest_mag,
    max(seen.latest_mjd) FILTER (WHERE seen.survey = 'ztf' AND seen.band = 'r') AS ztf_r_latest_mjd,
    max(seen.brightest_mag) FILTER (WHERE seen.survey = 'ztf' AND seen.band = 'r') AS ztf_r_brightest_mag,
    max(seen.brightest_mjd) FILTER (WHERE seen.survey = 'ztf' AND seen.band = 'r') AS ztf_r_brightest_mjd,
    max(seen.latest_mag) FILTER (WHERE seen.survey = 'ztf' AND seen.band = 'i') AS ztf_i_latest_mag,
    max(seen.latest_mjd) FILTER (WHERE seen.survey = 'ztf' AND seen.band = 'i') AS ztf_i_latest_mjd,
    max(seen.brightest_mag) FILTER (WHERE seen.survey = 'ztf' AND seen.band = 'i') AS ztf_i_brightest_mag,
    max(seen.brightest_mjd) FILTER (WHERE seen.survey = 'ztf' AND seen.band = 'i') AS ztf_i_brightest_mjd,
    max(seen.latest_mag) FILTER (WHERE seen.survey = 'lsst' AND seen.band = 'u') AS lsst_u_latest_mag,
    max(seen.latest_mjd) FILTER (WHERE seen.survey = 'lsst' AND seen.band = 'u') AS lsst_u_latest_mjd,
    max(seen.brightest_mag) FILTER (WHERE seen.survey = 'lsst' AND seen.band = 'u') AS lsst_u_brightest_mag,
    max(seen.brightest_mjd) FILTER (WHERE seen.survey = 'lsst' AND seen.band = 'u') AS lsst_u_brightest_mjd,
    max(seen.latest_mag) FILTER (WHERE seen.survey = 'lsst' AND seen.band = 'g') AS lsst_g_latest_mag,
    max(seen.latest_mjd) FILTER (WHERE seen.survey = 'lsst' AND seen.band = 'g') AS lsst_g_latest_mjd,
    max(seen.brightest_mag) FILTER (WHERE seen.survey = 'lsst' AND seen.band = 'g') AS lsst_g_brightest_mag,
    max(seen.brightest_mjd) FILTER (WHERE seen.survey = 'lsst' AND seen.band = 'g') AS lsst_g_brightest_mjd,
    max(seen.latest_mag) FILTER (WHERE seen.survey = 'lsst' AND seen.band = 'r') AS lsst_r_latest_mag,
    max(seen.latest_mjd) FILTER (WHERE seen.survey = 'lsst' AND seen.band = 'r') AS lsst_r_latest_mjd,
    max(seen.brightest_mag) FILTER (WHERE seen.survey = 'lsst' AND seen.band = 'r') AS lsst_r_brightest_mag,
    max(seen.brightest_mjd) FILTER (WHERE seen.survey = 'lsst' AND seen.band = 'r') AS lsst_r_brightest_mjd,
    max(seen.latest_mag) FILTER (WHERE seen.survey = 'lsst' AND seen.band = 'i') AS lsst_i_latest_mag,
    max(seen.latest_mjd) FILTER (WHERE seen.survey = 'lsst' AND seen.band = 'i') AS lsst_i_latest_mjd,
    max(seen.brightest_mag) FILTER (WHERE seen.survey = 'lsst' AND seen.band = 'i') AS lsst_i_brightest_mag,
    max(seen.brightest_mjd) FILTER (WHERE seen.survey = 'lsst' AND seen.band = 'i') AS lsst_i_brightest_mjd,
    max(seen.latest_mag) FILTER (WHERE seen.survey = 'lsst' AND seen.band = 'z') AS lsst_z_latest_mag,
    max(seen.latest_mjd) FILTER (WHERE seen.survey = 'lsst' AND seen.band = 'z') AS lsst_z_latest_mjd,
    max(seen.brightest_mag) FILTER (WHERE seen.survey = 'lsst' AND seen.band = 'z') AS lsst_z_brightest_mag,
    max(seen.brightest_mjd) FILTER (WHERE seen.survey = 'lsst' AND seen.band = 'z') AS lsst_z_brightest_mjd,
    max(seen.latest_mag) FILTER (WHERE seen.survey = 'lsst' AND seen.band = 'y') AS lsst_y_latest_mag,
    max(seen.latest_mjd) FILTER (WHERE seen.survey = 'lsst' AND seen.band = 'y') AS lsst_y_latest_mjd,
    max(seen.brightest_mag) FILTER (WHERE seen.survey = 'lsst' AND seen.band = 'y') AS lsst_y_brightest_mag,
    max(seen.brightest_mjd) FILTER (WHERE seen.survey = 'lsst' AND seen.band = 'y') AS lsst_y_brightest_mjd
FROM tides_master
LEFT JOIN target_magnitude AS seen ON tides_master.tides_id = seen.tides_id
GROUP BY tides_master.tides_id;
