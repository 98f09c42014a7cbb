-- purpose: let a host go off when a transient that is on is found to lie in it
-- needs: host_candidate, hosts_of_targets, host_rule, ruling_in_force
-- makes: the function switch_found_hosts_off, and triggers of host_candidate

-- What `switch_hosts_off` does for transients that go on, for those that are on and are found to lie in a host.
CREATE FUNCTION switch_found_hosts_off() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM host WHERE host.tides_id IS NOT NULL) THEN
        UPDATE tides_master
        SET
            active = FALSE,
            inactive_reason = 'transient'
        FROM hosts_of_targets(
                array(
                    SELECT DISTINCT association.tides_id
                    FROM changed
                    INNER JOIN association
                        ON changed.object_id = association.object_id AND changed.survey = association.survey
                    INNER JOIN tides_master AS target ON association.tides_id = target.tides_id
                    WHERE target.active
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
            );
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER switch_found_hosts_off_inserted AFTER INSERT ON host_candidate
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION switch_found_hosts_off();
CREATE TRIGGER switch_found_hosts_off_updated AFTER UPDATE ON host_candidate
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION switch_found_hosts_off();
CREATE TRIGGER switch_found_hosts_off_deleted AFTER DELETE ON host_candidate
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION switch_found_hosts_off();
