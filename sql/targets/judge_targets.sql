-- purpose: switch targets on or off as what is known of them now demands
-- params: tides_ids bigint[], now_mjd double precision (MJD), deactivate_after_days double precision (d),
--         faint_limits double precision[] (mag, order u g r i z y, NULL for none), rule text (days or predicted),
--         unlooked_days double precision (d), counting_bands boolean[] (order u g r i z y),
--         keeps_unselected boolean, steady_days double precision (d, NULL for none), steady_mag double precision (mag)

UPDATE tides_master
SET
    active = judged.reason IS NULL,
    inactive_reason = judged.reason
FROM judge_targets(
        %(tides_ids)s::bigint[],
        %(now_mjd)s::double precision,
        %(deactivate_after_days)s::double precision,
        %(faint_limits)s::double precision[],
        %(rule)s::text,
        %(unlooked_days)s::double precision,
        %(counting_bands)s::boolean[],
        %(keeps_unselected)s::boolean,
        %(steady_days)s::double precision,
        %(steady_mag)s::double precision
    ) AS judged
WHERE tides_master.tides_id = judged.tides_id;
