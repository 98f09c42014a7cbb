-- purpose: let hosts be targets of their own, which are on only while their transients are off and faded
-- needs: host, host_candidate, hosts_of_targets, judge_by_rules, steady_targets, state_reason, ruled_targets,
--        time_of_mjd, change_4most
-- makes: host_rule; a column of host; the functions judge_galaxies, judge_targets anew, switch_off_hosts_of,
--        switch_hosts_off, switch_found_hosts_off and note_changed_hosts, and triggers

ALTER TABLE host ADD COLUMN tides_id bigint UNIQUE REFERENCES tides_master;

COMMENT ON COLUMN host.tides_id IS 'its row among the targets, of the survey host, once it was wanted';

CREATE TABLE host_rule (
    is_only boolean PRIMARY KEY DEFAULT TRUE CHECK (is_only),
    is_wanted boolean NOT NULL,
    per_target integer NOT NULL,
    unseen_days double precision NOT NULL,
    faint_limit double precision NOT NULL
);

COMMENT ON TABLE host_rule IS 'one row: when hosts are targets, as the settings of the last run have it';

-- Why each of these galaxies is no target now, NULL if it is one. It is not before all transients that point to it are
-- off, here and at 4MOST, and each is unseen for long, or was fainter than the limit in every band of LSST when it was
-- seen there last. Transients that a person has vetoed do not ask for it.
CREATE FUNCTION judge_galaxies(host_ids bigint[], now_mjd double precision) RETURNS TABLE (
    host_id bigint, reason text
) LANGUAGE sql STABLE AS $$
    WITH near AS (
        SELECT DISTINCT association.tides_id
        FROM unnest(host_ids) AS asked (host_id)
        INNER JOIN host_candidate ON asked.host_id = host_candidate.host_id
        INNER JOIN association
            ON host_candidate.object_id = association.object_id AND host_candidate.survey = association.survey
    ),

    pointing AS (
        SELECT
            found.host_id,
            target.tides_id,
            target.active OR coalesce((target.told_4most ->> 'is_active')::boolean, FALSE) AS is_on,
            target.last_detection_mjd < now_mjd - host_rule.unseen_days AS is_unseen
        FROM hosts_of_targets(array(SELECT near.tides_id FROM near)) AS found
        INNER JOIN (SELECT DISTINCT asked.host_id FROM unnest(host_ids) AS asked (host_id)) AS wanted
            ON found.host_id = wanted.host_id
        INNER JOIN tides_master AS target ON found.tides_id = target.tides_id
        CROSS JOIN host_rule
        WHERE
            found.place <= host_rule.per_target
            AND host_rule.is_wanted
            AND target.inactive_reason IS DISTINCT FROM 'veto'
    ),

    faded AS (
        SELECT
            association.tides_id,
            bool_and(bright.latest_mag > host_rule.faint_limit) AS is_faint
        FROM (SELECT DISTINCT pointing.tides_id FROM pointing) AS known
        INNER JOIN association ON known.tides_id = association.tides_id
        INNER JOIN object_brightness AS bright
            ON association.survey = bright.survey AND association.object_id = bright.object_id
        CROSS JOIN host_rule
        WHERE association.survey = 'lsst' AND bright.latest_mag IS NOT NULL
        GROUP BY association.tides_id
    )

    SELECT
        asked.host_id,
        CASE
            WHEN count(pointing.tides_id) = 0 THEN 'unselected'
            WHEN bool_or(pointing.is_on) THEN 'transient'
            WHEN NOT bool_and(pointing.is_unseen OR coalesce(faded.is_faint, FALSE)) THEN 'waiting'
        END AS reason
    FROM unnest(host_ids) AS asked (host_id)
    LEFT JOIN pointing ON asked.host_id = pointing.host_id
    LEFT JOIN faded ON pointing.tides_id = faded.tides_id
    GROUP BY asked.host_id
$$;

DROP FUNCTION judge_targets(
    bigint[], double precision, double precision, double precision[], text, double precision, boolean[], boolean
);

-- Why each of these is no target now, NULL if it is one: by what people decided, a spectrum, and rules. A target that
-- only a person has chosen ends with the force. Hosts have a rule of their own.
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
                WHEN tides_master.survey = 'host' THEN galaxy.reason
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
    LEFT JOIN host ON by_rules.tides_id = host.tides_id
    LEFT JOIN judge_galaxies(
        array(SELECT wanted.host_id FROM host AS wanted WHERE wanted.tides_id = ANY(tides_ids)), now_mjd
    ) AS galaxy ON host.host_id = galaxy.host_id
$$;

COMMENT ON COLUMN tides_master.inactive_reason IS
'why it is switched off: unseen, faint, unselected, steady, spectrum, merged, veto or hold; of hosts also transient or '
'waiting';

-- A host goes off in the transaction in which one of its transients goes on, or is found in it, whatever does that; one
-- that a person has forced stays.
CREATE FUNCTION switch_off_hosts_of(transients bigint[]) RETURNS void LANGUAGE sql AS $$
    UPDATE tides_master
    SET
        active = FALSE,
        inactive_reason = 'transient'
    FROM hosts_of_targets(
            array(
                SELECT target.tides_id
                FROM tides_master AS target
                WHERE target.tides_id = ANY(transients) AND target.active AND target.survey <> 'host'
            )
        ) AS found
    INNER JOIN host ON found.host_id = host.host_id
    CROSS JOIN host_rule
    WHERE
        tides_master.tides_id = host.tides_id
        AND tides_master.active
        AND found.place <= host_rule.per_target
        AND NOT EXISTS (
            SELECT
            FROM ruling_in_force AS lying
            WHERE
                lying.tides_id = tides_master.tides_id
                AND lying.kind = 'force'
                AND (lying.until IS NULL OR lying.until > now())
        )
$$;

-- Of targets that change, and of objects that come to a target.
CREATE FUNCTION switch_hosts_off() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- What this does to hosts calls it again, with hosts alone; and a trigger of a statement comes without rows, too.
    IF
        EXISTS (SELECT FROM host WHERE host.tides_id IS NOT NULL)
        AND EXISTS (
            SELECT
            FROM changed
            INNER JOIN tides_master AS target ON changed.tides_id = target.tides_id
            WHERE target.active AND target.survey <> 'host'
        )
    THEN
        PERFORM switch_off_hosts_of(array(SELECT DISTINCT changed.tides_id FROM changed));
    END IF;
    RETURN NULL;
END
$$;

-- Of objects in which another galaxy is found.
CREATE FUNCTION switch_found_hosts_off() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM host WHERE host.tides_id IS NOT NULL) THEN
        PERFORM switch_off_hosts_of(
            array(
                SELECT DISTINCT association.tides_id
                FROM changed
                INNER JOIN association
                    ON changed.object_id = association.object_id AND changed.survey = association.survey
            )
        );
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER switch_hosts_off AFTER UPDATE ON tides_master
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION switch_hosts_off();
CREATE TRIGGER switch_hosts_off_inserted AFTER INSERT ON association
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION switch_hosts_off();
CREATE TRIGGER switch_hosts_off_updated AFTER UPDATE ON association
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION switch_hosts_off();
CREATE TRIGGER switch_found_hosts_off_inserted AFTER INSERT ON host_candidate
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION switch_found_hosts_off();
CREATE TRIGGER switch_found_hosts_off_updated AFTER UPDATE ON host_candidate
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION switch_found_hosts_off();
CREATE TRIGGER switch_found_hosts_off_deleted AFTER DELETE ON host_candidate
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION switch_found_hosts_off();

-- What 4MOST is told of a host is that of its galaxy.
CREATE FUNCTION note_changed_hosts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change_4most (tides_id) SELECT changed.tides_id FROM changed WHERE changed.tides_id IS NOT NULL;
    RETURN NULL;
END
$$;

CREATE TRIGGER note_updated AFTER UPDATE ON host
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_hosts();
