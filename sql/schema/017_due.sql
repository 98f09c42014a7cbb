-- purpose: let the exchange, and what counts what waits for it, look only at targets of which something has changed
-- needs: tides_master, association, object_brightness, target_tonight, ruling_subject
-- makes: change_4most, due_4most, comparison_4most, and the triggers that note a change

-- Only added to, so that nobody who changes a target waits for another; the exchange takes what it sees, and what is
-- being committed meanwhile stays for the next.
CREATE TABLE change_4most (
    change_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tides_id bigint NOT NULL
);

COMMENT ON TABLE change_4most IS
'targets of which something changed that 4MOST may have to know, until an exchange looks';

CREATE TABLE due_4most (
    tides_id bigint PRIMARY KEY,
    due_mjd double precision NOT NULL
);

COMMENT ON TABLE due_4most IS
'targets that an exchange looks at from an epoch on though nothing changes; only it writes here';
COMMENT ON COLUMN due_4most.due_mjd IS
'[MJD, UTC] when another magnitude is to be sent, as one gets old; -Infinity for what was not settled';

CREATE INDEX due_4most_when ON due_4most (due_mjd);

CREATE TABLE comparison_4most (
    is_only boolean PRIMARY KEY DEFAULT TRUE CHECK (is_only),
    conditions text NOT NULL,
    now_mjd double precision NOT NULL
);

COMMENT ON TABLE comparison_4most IS 'one row: under which settings and code, and when, targets were compared last';
COMMENT ON COLUMN comparison_4most.conditions IS 'a digest: with another one all targets are compared again';

CREATE FUNCTION note_changed_targets() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change_4most (tides_id) SELECT DISTINCT changed.tides_id FROM changed;
    RETURN NULL;
END
$$;

-- Of what lies on objects, all those that are known as targets' now.
CREATE FUNCTION note_changed_objects() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change_4most (tides_id)
    SELECT DISTINCT association.tides_id
    FROM changed
    INNER JOIN association ON changed.survey = association.survey AND changed.object_id = association.object_id;
    RETURN NULL;
END
$$;

-- What people decide lies on a target, or on an object.
CREATE FUNCTION note_changed_subjects() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change_4most (tides_id)
    SELECT changed.tides_id
    FROM changed
    WHERE changed.tides_id IS NOT NULL
    UNION
    SELECT association.tides_id
    FROM changed
    INNER JOIN association ON changed.survey = association.survey AND changed.object_id = association.object_id;
    RETURN NULL;
END
$$;

CREATE TRIGGER note_inserted AFTER INSERT ON tides_master
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_targets();
CREATE TRIGGER note_updated AFTER UPDATE ON tides_master
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_targets();

CREATE TRIGGER note_inserted AFTER INSERT ON association
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_targets();
CREATE TRIGGER note_updated AFTER UPDATE ON association
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_targets();
CREATE TRIGGER note_moved AFTER UPDATE ON association
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_targets();
CREATE TRIGGER note_deleted AFTER DELETE ON association
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_targets();

CREATE TRIGGER note_inserted AFTER INSERT ON target_tonight
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_targets();
CREATE TRIGGER note_updated AFTER UPDATE ON target_tonight
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_targets();
CREATE TRIGGER note_deleted AFTER DELETE ON target_tonight
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_targets();

CREATE TRIGGER note_inserted AFTER INSERT ON object_brightness
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_objects();
CREATE TRIGGER note_updated AFTER UPDATE ON object_brightness
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_objects();
CREATE TRIGGER note_deleted AFTER DELETE ON object_brightness
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_objects();

CREATE TRIGGER note_inserted AFTER INSERT ON ruling_subject
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_subjects();
CREATE TRIGGER note_updated AFTER UPDATE ON ruling_subject
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_changed_subjects();

-- What is there already was never compared.
INSERT INTO change_4most (tides_id) SELECT tides_master.tides_id FROM tides_master;

-- What may wait for 4MOST at a time; a target may come twice.
CREATE FUNCTION due_targets(at_mjd double precision) RETURNS TABLE (tides_id bigint) LANGUAGE sql STABLE AS $$
    SELECT change_4most.tides_id
    FROM change_4most
    UNION ALL
    SELECT due_4most.tides_id
    FROM due_4most
    WHERE due_4most.due_mjd <= at_mjd
$$;
