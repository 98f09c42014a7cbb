-- purpose: find the targets that pass for months without a supernova's rise and fall, ask about them, and by a setting
--          switch them off
-- needs: judge_by_rules, state_reason, ruled_targets, ruling_in_force, time_of_mjd
-- makes: the functions steady_targets, steady_doubts, and judge_targets anew

-- Of these targets those that still pass and are, in no band, by within_mag fainter than at their brightest, though in
-- one band that was after_days ago. Of nothing where after_days is NULL.
CREATE FUNCTION steady_targets(
    tides_ids bigint[], after_days double precision, within_mag double precision
) RETURNS TABLE (tides_id bigint, days double precision, faded double precision) LANGUAGE sql STABLE AS $$
    SELECT
        association.tides_id,
        max(bright.latest_mjd - bright.brightest_mjd) AS days,
        max(bright.latest_mag - bright.brightest_mag) AS faded
    FROM unnest(tides_ids) AS asked (tides_id)
    INNER JOIN association ON asked.tides_id = association.tides_id
    INNER JOIN object_brightness AS bright
        ON association.survey = bright.survey AND association.object_id = bright.object_id
    WHERE after_days IS NOT NULL
    GROUP BY association.tides_id
    HAVING
        max(bright.latest_mjd - bright.brightest_mjd) >= after_days
        AND max(bright.latest_mag - bright.brightest_mag) < within_mag
        AND bool_or(association.passes)
$$;

-- Those about which a person is asked: they are on, or off for this; whatever a person said of them is the answer.
CREATE FUNCTION steady_doubts(
    after_days double precision, within_mag double precision, at timestamptz
) RETURNS TABLE (name text, question text) LANGUAGE sql STABLE AS $$
    SELECT
        tides_master.name,
        'passes ' || round(steady.days)::text || ' days after its brightest, and has faded by '
        || round(steady.faded::numeric, 2)::text || ' mag only: is it a supernova?' AS question
    FROM steady_targets(
            array(
                SELECT target.tides_id
                FROM tides_master AS target
                WHERE
                    (target.active OR target.inactive_reason = 'steady')
                    AND target.last_detection_mjd - target.first_detection_mjd >= after_days
            ),
            after_days,
            within_mag
        ) AS steady
    INNER JOIN tides_master ON steady.tides_id = tides_master.tides_id
    WHERE
        NOT EXISTS (
            SELECT FROM ruling_in_force AS lying
            WHERE lying.tides_id = tides_master.tides_id AND (lying.until IS NULL OR lying.until > at)
        )
$$;

DROP FUNCTION judge_targets(
    bigint[], double precision, double precision, double precision[], text, double precision, boolean[], boolean
);

-- Why each of these is no target now, NULL if it is one: by what people decided, a spectrum, and rules. A target that
-- only a person has chosen ends with the force.
CREATE FUNCTION judge_targets(
    tides_ids bigint[],
    now_mjd double precision,
    deactivate_after_days double precision,
    faint_limits double precision[],
    rule text,
    unlooked_days double precision,
    counting_bands boolean[],
    keeps_unselected boolean,
    steady_days double precision,
    steady_mag double precision
) RETURNS TABLE (tides_id bigint, reason text) LANGUAGE sql STABLE AS $$
    SELECT
        tides_master.tides_id,
        state_reason(
            tides_master.merged_into IS NOT NULL,
            coalesce(ruled.is_vetoed, FALSE),
            tides_master.has_spectrum,
            coalesce(ruled.is_held, FALSE),
            coalesce(ruled.is_forced, FALSE),
            CASE
                WHEN tides_master.selection_function = 'forced' THEN 'unselected'
                WHEN by_rules.reason IS NULL AND steady.tides_id IS NOT NULL THEN 'steady'
                ELSE by_rules.reason
            END
        ) AS reason
    FROM judge_by_rules(
            tides_ids,
            now_mjd,
            deactivate_after_days,
            faint_limits,
            rule,
            unlooked_days,
            counting_bands,
            keeps_unselected
        ) AS by_rules
    INNER JOIN tides_master ON by_rules.tides_id = tides_master.tides_id
    LEFT JOIN ruled_targets(tides_ids, time_of_mjd(now_mjd)) AS ruled ON by_rules.tides_id = ruled.tides_id
    LEFT JOIN steady_targets(tides_ids, steady_days, steady_mag) AS steady ON by_rules.tides_id = steady.tides_id
$$;

COMMENT ON COLUMN tides_master.inactive_reason IS
'why it is switched off: unseen, faint, unselected, steady, spectrum, merged, veto or hold';
