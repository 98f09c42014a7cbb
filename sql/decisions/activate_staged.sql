-- purpose: switch the targets of the staged objects on that are targets now; one past the limits stays off
-- needs: tides_stage, after upsert_to_master
-- params: now_mjd double precision (MJD), deactivate_after_days double precision (d),
--         faint_limits double precision[] (mag, order u g r i z y, NULL for none), rule text (days or predicted),
--         unlooked_days double precision (d), counting_bands boolean[] (order u g r i z y),
--         keeps_unselected boolean, steady_days double precision (d, NULL for none), steady_mag double precision (mag)
-- returns: activated bigint

WITH switched AS (
    UPDATE tides_master
    SET
        active = judged.reason IS NULL,
        inactive_reason = judged.reason
    FROM judge_targets(
            array(
                SELECT DISTINCT target.tides_id
                FROM tides_stage
                INNER JOIN association
                    ON tides_stage.survey = association.survey AND tides_stage.object_id = association.object_id
                INNER JOIN tides_master AS target ON association.tides_id = target.tides_id
                WHERE NOT target.active
            ),
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
    WHERE
        tides_master.tides_id = judged.tides_id
        AND (judged.reason IS NULL OR judged.reason IS DISTINCT FROM tides_master.inactive_reason)
    RETURNING tides_master.active
)

SELECT count(*) FILTER (WHERE switched.active) AS activated
FROM switched;
