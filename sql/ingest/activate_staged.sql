-- purpose: switch the staged objects on that are targets now; one past the limits when it first passes stays off
-- needs: tides_stage, after upsert_to_master
-- params: now_mjd double precision (MJD), deactivate_after_days double precision (d),
--         faint_limits double precision[] (mag, order u g r i z y, NULL for none)
-- returns: activated bigint

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
    INNER JOIN tides_stage
        ON tides_master.survey = tides_stage.survey AND tides_master.object_id = tides_stage.object_id
    WHERE NOT tides_master.active
),

switched AS (
    UPDATE tides_master
    SET
        active = judged.reason IS NULL,
        inactive_reason = judged.reason
    FROM judged
    WHERE
        tides_master.tides_id = judged.tides_id
        AND (judged.reason IS NULL OR judged.reason IS DISTINCT FROM tides_master.inactive_reason)
    RETURNING tides_master.active
)

SELECT count(*) FILTER (WHERE switched.active) AS activated
FROM switched;
