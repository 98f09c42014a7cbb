-- purpose: let rulings have their place among what keeps a target off, or on
-- needs: judge_by_rules, state_reason, ruled_targets, time_of_mjd
-- makes: the function judge_targets, an index of tides_master

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
    keeps_unselected boolean
) RETURNS TABLE (tides_id bigint, reason text) LANGUAGE sql STABLE AS $$
    SELECT
        tides_master.tides_id,
        state_reason(
            tides_master.merged_into IS NOT NULL,
            coalesce(ruled.is_vetoed, FALSE),
            tides_master.has_spectrum,
            coalesce(ruled.is_held, FALSE),
            coalesce(ruled.is_forced, FALSE),
            CASE WHEN tides_master.selection_function = 'forced' THEN 'unselected' ELSE by_rules.reason END
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
$$;

COMMENT ON COLUMN tides_master.inactive_reason IS
'why it is switched off: unseen, faint, unselected, spectrum, merged, veto or hold';

-- Those that rulings keep off, which may have ended.
CREATE INDEX tides_master_ruled ON tides_master (tides_id) WHERE inactive_reason IN ('veto', 'hold');
