-- purpose: switch targets off that were not seen for too long, are fainter than the limit in every band seen, or have
--          their spectrum
-- params: now_mjd double precision (MJD), deactivate_after_days double precision (d),
--         faint_limits double precision[] (mag, order u g r i z y, NULL for none)
-- returns: deactivated bigint

WITH switched AS (
    UPDATE tides_master
    SET
        active = FALSE,
        inactive_reason = judged.reason
    FROM judge_targets(
            array(SELECT target.tides_id FROM tides_master AS target WHERE target.active),
            %(now_mjd)s::double precision,
            %(deactivate_after_days)s::double precision,
            %(faint_limits)s::double precision[]
        ) AS judged
    WHERE tides_master.tides_id = judged.tides_id AND judged.reason IS NOT NULL
    RETURNING tides_master.tides_id
)

SELECT count(*) AS deactivated
FROM switched;
