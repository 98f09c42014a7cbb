-- purpose: switch targets off that were not seen for too long, are fainter than the limit in every band seen, or have
--          their spectrum
-- params: now_mjd double precision (MJD), deactivate_after_days double precision (d),
--         faint_limits double precision[] (mag, order u g r i z y, NULL for none)
-- returns: deactivated bigint

WITH judged AS (
    SELECT
        tides_master.tides_id,
        inactive_reason(
            tides_master.has_spectrum,
            tides_master.last_detection_mjd,
            ARRAY[
                tides_master.u_latest_mag, tides_master.g_latest_mag, tides_master.r_latest_mag,
                tides_master.i_latest_mag, tides_master.z_latest_mag, tides_master.y_latest_mag
            ],
            %(now_mjd)s::double precision,
            %(deactivate_after_days)s::double precision,
            %(faint_limits)s::double precision[]
        ) AS reason
    FROM tides_master
    WHERE tides_master.active
),

switched AS (
    UPDATE tides_master
    SET
        active = FALSE,
        inactive_reason = judged.reason
    FROM judged
    WHERE tides_master.tides_id = judged.tides_id AND judged.reason IS NOT NULL
    RETURNING tides_master.tides_id
)

SELECT count(*) AS deactivated
FROM switched;
