-- purpose: let no run write that another one has overtaken, and hold back changes of too many targets at once
-- makes: run_epoch, held_change; an index of tides_master

CREATE TABLE run_epoch (
    is_only boolean PRIMARY KEY DEFAULT TRUE CHECK (is_only),
    epoch bigint NOT NULL
);

COMMENT ON TABLE run_epoch IS 'one row: raised by each run that takes the lock; a run of an older epoch writes nothing';

INSERT INTO run_epoch (epoch) VALUES (0);

CREATE TABLE held_change (
    kind text PRIMARY KEY CHECK (kind IN ('deactivation', 'position', 'magnitude', 'record')),
    held bigint NOT NULL,
    of_targets bigint NOT NULL,
    example text NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    released bigint,
    released_at timestamptz
);

COMMENT ON TABLE held_change IS 'what would change more targets at once than is plausible, and waits for a person';
COMMENT ON COLUMN held_change.of_targets IS 'of so many that could change: targets, or months of decisions';
COMMENT ON COLUMN held_change.released IS 'so many may change, a person said; NULL if nobody did';

-- Those that were switched off by a limit and may come back.
CREATE INDEX tides_master_inactive ON tides_master (last_detection_mjd) WHERE NOT active;
