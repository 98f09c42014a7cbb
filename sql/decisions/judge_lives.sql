-- purpose: judge which targets are to be switched off, and which that a limit had switched off are to come back
-- needs: life_stage, which gets a row for each target whose state changes
-- params: now_mjd double precision (MJD), deactivate_after_days double precision (d),
--         faint_limits double precision[] (mag, order u g r i z y, NULL for none), rule text (days or predicted),
--         unlooked_days double precision (d), counting_bands boolean[] (order u g r i z y),
--         keeps_unselected boolean, steady_days double precision (d, NULL for none), steady_mag double precision (mag)
-- returns: two rows: kind text (activation or deactivation by a limit), held bigint (so many targets), active bigint
--          (targets that are on), example text (the first of them)

DELETE FROM life_stage;

INSERT INTO life_stage (tides_id, reason, was_active, by_ruling)
SELECT
    judged.tides_id,
    judged.reason,
    tides_master.active AS was_active,
    coalesce(tides_master.inactive_reason IN ('veto', 'hold'), FALSE)
    OR EXISTS (
        SELECT
        FROM ruling_in_force AS lying
        WHERE
            lying.tides_id = judged.tides_id
            AND lying.kind = 'force'
            AND (lying.until IS NULL OR lying.until > time_of_mjd(%(now_mjd)s::double precision))
    ) AS by_ruling
FROM judge_targets(
        array(
            SELECT target.tides_id FROM tides_master AS target WHERE target.active
            UNION
            SELECT former.tides_id
            FROM tides_master AS former
            WHERE
                NOT former.active
                AND former.inactive_reason IN ('unseen', 'faint', 'unselected', 'steady')
                AND former.last_detection_mjd
                >= %(now_mjd)s::double precision - %(deactivate_after_days)s::double precision
            UNION
            SELECT target_tonight.tides_id
            FROM target_tonight
            INNER JOIN tides_master AS former ON target_tonight.tides_id = former.tides_id
            WHERE
                NOT former.active
                AND former.inactive_reason IN ('unseen', 'faint', 'unselected', 'steady')
                AND target_tonight.at_mjd >= %(now_mjd)s::double precision - 1
                AND %(rule)s::text = 'predicted'
            UNION
            SELECT galaxy.tides_id
            FROM tides_master AS galaxy
            WHERE galaxy.survey = 'host' AND NOT galaxy.active
            UNION
            SELECT ruled.tides_id
            FROM tides_master AS ruled
            WHERE ruled.inactive_reason IN ('veto', 'hold')
            UNION
            SELECT lying.tides_id
            FROM ruling_in_force AS lying
            WHERE lying.kind = 'force'
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
INNER JOIN tides_master ON judged.tides_id = tides_master.tides_id
WHERE judged.reason IS DISTINCT FROM tides_master.inactive_reason;

SELECT
    kind.name AS kind,
    count(life_stage.tides_id) AS held,
    (SELECT count(*) FROM tides_master AS held WHERE held.active) AS active,
    coalesce(
        (
            array_agg(
                tides_master.name || ': ' || coalesce(life_stage.reason, tides_master.inactive_reason)
                ORDER BY life_stage.tides_id
            )
        )[1], ''
    ) AS example
FROM (VALUES ('deactivation'), ('activation')) AS kind (name)
LEFT JOIN life_stage
    ON
        (
            kind.name = 'deactivation' AND life_stage.was_active
            AND life_stage.reason IN ('unseen', 'faint', 'unselected', 'steady')
        )
        OR (
            kind.name = 'activation' AND NOT life_stage.was_active AND life_stage.reason IS NULL
            AND NOT life_stage.by_ruling
        )
LEFT JOIN tides_master ON life_stage.tides_id = tides_master.tides_id
GROUP BY kind.name
ORDER BY kind.name;
