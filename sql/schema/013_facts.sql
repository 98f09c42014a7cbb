-- purpose: what is known of a target, apart from what was decided: brightness by band as rows, with errors, limits and
--          forced photometry; the brightness of the coming night; the state of a target from facts, rules and now
-- makes: object_brightness, target_tonight; the functions until, judge_by_rules; columns of association and decision;
--        the views target_magnitude, target_magnitudes anew
-- drops: the magnitudes of association, the function inactive_reason
-- units: epochs in MJD (UTC), magnitudes as the survey gives them, fluxes in nJy, separations in arcsec

-- An epoch, unless it is later than another one.
CREATE FUNCTION until(mjd double precision, latest_mjd double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN mjd <= latest_mjd THEN mjd END
$$;

CREATE TABLE object_brightness (
    survey text NOT NULL,
    object_id text NOT NULL,
    band text NOT NULL CHECK (band IN ('u', 'g', 'r', 'i', 'z', 'y')),
    latest_mag double precision,
    latest_error double precision,
    latest_mjd double precision,
    brightest_mag double precision,
    brightest_error double precision,
    brightest_mjd double precision,
    n_detections integer NOT NULL,
    limit_mag double precision,
    limit_mjd double precision,
    forced_flux double precision,
    forced_error double precision,
    forced_mjd double precision,
    PRIMARY KEY (survey, object_id, band)
);

COMMENT ON TABLE object_brightness IS 'how bright each object of a target was in each band, whether it passes or not';
COMMENT ON COLUMN object_brightness.latest_mag IS 'of the newest positive detection';
COMMENT ON COLUMN object_brightness.n_detections IS 'positive ones in this band';
COMMENT ON COLUMN object_brightness.limit_mag IS 'of 5 sigma, of the newest non-detection';
COMMENT ON COLUMN object_brightness.forced_flux IS 'of the newest forced photometry where nothing was detected [nJy]';

CREATE TRIGGER a_suppress_redundant_updates BEFORE UPDATE ON object_brightness
FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();

-- How often each was detected in a band was not kept until now.
INSERT INTO object_brightness (
    survey, object_id, band, latest_mag, latest_mjd, brightest_mag, brightest_mjd, n_detections
)
SELECT
    association.survey,
    association.object_id,
    band.name,
    band.latest_mag,
    band.latest_mjd,
    band.brightest_mag,
    band.brightest_mjd,
    1
FROM association
CROSS JOIN
    LATERAL (
        VALUES
        (
            'u', association.u_latest_mag, association.u_latest_mjd,
            association.u_brightest_mag, association.u_brightest_mjd
        ),
        (
            'g', association.g_latest_mag, association.g_latest_mjd,
            association.g_brightest_mag, association.g_brightest_mjd
        ),
        (
            'r', association.r_latest_mag, association.r_latest_mjd,
            association.r_brightest_mag, association.r_brightest_mjd
        ),
        (
            'i', association.i_latest_mag, association.i_latest_mjd,
            association.i_brightest_mag, association.i_brightest_mjd
        ),
        (
            'z', association.z_latest_mag, association.z_latest_mjd,
            association.z_brightest_mag, association.z_brightest_mjd
        ),
        (
            'y', association.y_latest_mag, association.y_latest_mjd,
            association.y_brightest_mag, association.y_brightest_mjd
        )
    ) AS band (name, latest_mag, latest_mjd, brightest_mag, brightest_mjd)
WHERE band.latest_mag IS NOT NULL;

DROP VIEW target_magnitudes;
DROP VIEW target_magnitude;
DROP FUNCTION judge_targets(bigint[], double precision, double precision, double precision[]);
DROP FUNCTION inactive_reason(
    boolean, double precision, double precision[], double precision, double precision, double precision[]
);

ALTER TABLE association
DROP COLUMN u_latest_mag,
DROP COLUMN u_latest_mjd,
DROP COLUMN u_brightest_mag,
DROP COLUMN u_brightest_mjd,
DROP COLUMN g_latest_mag,
DROP COLUMN g_latest_mjd,
DROP COLUMN g_brightest_mag,
DROP COLUMN g_brightest_mjd,
DROP COLUMN r_latest_mag,
DROP COLUMN r_latest_mjd,
DROP COLUMN r_brightest_mag,
DROP COLUMN r_brightest_mjd,
DROP COLUMN i_latest_mag,
DROP COLUMN i_latest_mjd,
DROP COLUMN i_brightest_mag,
DROP COLUMN i_brightest_mjd,
DROP COLUMN z_latest_mag,
DROP COLUMN z_latest_mjd,
DROP COLUMN z_brightest_mag,
DROP COLUMN z_brightest_mjd,
DROP COLUMN y_latest_mag,
DROP COLUMN y_latest_mjd,
DROP COLUMN y_brightest_mag,
DROP COLUMN y_brightest_mjd,
ADD COLUMN passes boolean NOT NULL DEFAULT TRUE,
ADD COLUMN scatter_arcsec double precision;

ALTER TABLE association ALTER COLUMN passes DROP DEFAULT;

COMMENT ON COLUMN association.passes IS 'whether its newest light curve satisfies the selection function';
COMMENT ON COLUMN association.ra IS 'the mean of its detections, weighted by their errors';
COMMENT ON COLUMN association.scatter_arcsec IS 'how far its detections lie from it at most, but for a stray one';

-- For a person: a row for each target, survey and band; the newest and the brightest of the survey's objects.
CREATE VIEW target_magnitude AS
WITH measured AS (
    SELECT
        association.tides_id,
        association.survey,
        bright.band,
        max(ARRAY[bright.latest_mjd, -bright.latest_mag]) FILTER (WHERE bright.latest_mag IS NOT NULL) AS latest,
        max(ARRAY[-bright.brightest_mag, -bright.brightest_mjd])
        FILTER (WHERE bright.brightest_mag IS NOT NULL) AS brightest
    FROM association
    INNER JOIN object_brightness AS bright
        ON association.survey = bright.survey AND association.object_id = bright.object_id
    WHERE bright.latest_mag IS NOT NULL
    GROUP BY association.tides_id, association.survey, bright.band
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

CREATE TABLE target_tonight (
    tides_id bigint PRIMARY KEY REFERENCES tides_master,
    at_mjd double precision NOT NULL,
    system text NOT NULL,
    mags double precision[] NOT NULL,
    errors double precision[] NOT NULL,
    methods text[] NOT NULL,
    is_known boolean NOT NULL,
    worked_out_at timestamptz NOT NULL
);

COMMENT ON TABLE target_tonight IS 'how bright a target is to be expected, by targets/brightness.py';
COMMENT ON COLUMN target_tonight.at_mjd IS 'the middle of the night that it is for';
COMMENT ON COLUMN target_tonight.system IS 'of the magnitudes: LSST or ZTF';
COMMENT ON COLUMN target_tonight.mags IS 'in the order u g r i z y, NULL where nothing can be said';
COMMENT ON COLUMN target_tonight.is_known IS 'whether it behaves as what the coefficients were fitted on';

COMMENT ON COLUMN tides_master.inactive_reason IS
'why it is switched off: unseen, faint, unselected, spectrum or merged';

-- Why each of these is no target now by the rules alone, NULL if it is one.
--
-- rule 'days': unseen without a detection for days; faint where each band that was looked at within these days was
-- fainter than its limit when it was looked at last: detected, by forced photometry (flux and one sigma), or by a limit
-- that is deeper. Rule 'predicted', where the brightness of the coming night is known: faint if it and one sigma are
-- fainter than the limit in each band that has one and counts, and unseen if nobody looked for longer.
CREATE FUNCTION judge_by_rules(
    tides_ids bigint[],
    now_mjd double precision,
    deactivate_after_days double precision,
    faint_limits double precision[],
    rule text,
    unlooked_days double precision,
    counting_bands boolean[],
    keeps_unselected boolean
) RETURNS TABLE (tides_id bigint, reason text) LANGUAGE sql STABLE AS $$
    WITH look AS (
        SELECT
            association.tides_id,
            faint_limits[position(bright.band IN 'ugrizy')] AS faint_limit,
            max(ARRAY[point.mjd, -point.mag]) FILTER (WHERE point.mag IS NOT NULL) AS newest,
            greatest(max(bright.latest_mjd), max(bright.limit_mjd), max(bright.forced_mjd)) AS looked_mjd
        FROM unnest(tides_ids) AS asked (tides_id)
        INNER JOIN association ON asked.tides_id = association.tides_id
        INNER JOIN object_brightness AS bright
            ON association.survey = bright.survey AND association.object_id = bright.object_id
        CROSS JOIN
            LATERAL (
                VALUES
                (bright.latest_mjd, bright.latest_mag),
                (
                    bright.limit_mjd,
                    CASE
                        WHEN bright.limit_mag > faint_limits[position(bright.band IN 'ugrizy')] THEN bright.limit_mag
                    END
                ),
                (
                    bright.forced_mjd,
                    CASE
                        WHEN bright.forced_flux + bright.forced_error > 0
                            THEN 31.4 - 2.5 * log(bright.forced_flux + bright.forced_error)
                        WHEN bright.forced_flux IS NOT NULL THEN 99
                    END
                )
            ) AS point (mjd, mag)
        GROUP BY association.tides_id, bright.band
    ),

    band_of AS (
        SELECT
            look.tides_id,
            max(look.looked_mjd) AS looked_mjd,
            bool_and(-look.newest[2] > look.faint_limit) FILTER (
                WHERE look.newest[1] >= now_mjd - deactivate_after_days AND look.faint_limit IS NOT NULL
            ) AS is_faint
        FROM look
        GROUP BY look.tides_id
    ),

    selected AS (
        SELECT
            association.tides_id,
            bool_or(association.passes) AS passes
        FROM unnest(tides_ids) AS asked (tides_id)
        INNER JOIN association ON asked.tides_id = association.tides_id
        GROUP BY association.tides_id
    ),

    tonight AS (
        SELECT
            target_tonight.tides_id,
            (
                SELECT bool_and(band.mag - band.error > band.faint_limit)
                FROM
                    unnest(target_tonight.mags, target_tonight.errors, faint_limits, counting_bands) AS band (
                        mag, error, faint_limit, counts
                    )
                WHERE band.mag IS NOT NULL AND band.faint_limit IS NOT NULL AND band.counts
            ) AS is_faint
        FROM unnest(tides_ids) AS asked (tides_id)
        INNER JOIN target_tonight ON asked.tides_id = target_tonight.tides_id
        WHERE
            rule = 'predicted'
            AND target_tonight.is_known
            AND target_tonight.at_mjd >= now_mjd - 1
    )

    SELECT
        tides_master.tides_id,
        CASE
            WHEN NOT keeps_unselected AND NOT selected.passes THEN 'unselected'
            WHEN tonight.is_faint IS NOT NULL THEN
                CASE
                    WHEN
                        greatest(tides_master.last_detection_mjd, band_of.looked_mjd) < now_mjd - unlooked_days
                        THEN 'unseen'
                    WHEN tonight.is_faint THEN 'faint'
                END
            WHEN tides_master.last_detection_mjd < now_mjd - deactivate_after_days THEN 'unseen'
            WHEN band_of.is_faint THEN 'faint'
        END AS reason
    FROM unnest(tides_ids) AS asked (tides_id)
    INNER JOIN tides_master ON asked.tides_id = tides_master.tides_id
    LEFT JOIN band_of ON tides_master.tides_id = band_of.tides_id
    LEFT JOIN selected ON tides_master.tides_id = selected.tides_id
    LEFT JOIN tonight ON tides_master.tides_id = tonight.tides_id
$$;

ALTER TABLE decision
ADD COLUMN now_mjd double precision,
ADD COLUMN left_out integer;

COMMENT ON COLUMN decision.now_mjd IS 'when it was decided, for the ages that a function asks for';
COMMENT ON COLUMN decision.left_out IS 'points of the light curve that were later than that, and did not count';
