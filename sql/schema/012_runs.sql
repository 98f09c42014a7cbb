-- purpose: let no run write that another one has overtaken, hold back changes of too many targets at once, and find the
--          message that ends whoever reads it
-- makes: run_epoch, held_change, in_hand; an index of tides_master

CREATE TABLE run_epoch (
    is_only boolean PRIMARY KEY DEFAULT TRUE CHECK (is_only),
    epoch bigint NOT NULL
);

COMMENT ON TABLE run_epoch IS 'one row: raised by each run that takes the lock; a run of an older epoch writes nothing';

INSERT INTO run_epoch (epoch) VALUES (0);

CREATE TABLE held_change (
    kind text PRIMARY KEY CHECK (kind IN ('deactivation', 'activation', 'position', 'magnitude', 'record')),
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

CREATE TABLE in_hand (
    group_id text PRIMARY KEY,
    messages integer NOT NULL,
    place text NOT NULL,
    most integer NOT NULL,
    deaths integer NOT NULL,
    alone jsonb NOT NULL,
    ends jsonb NOT NULL
);

COMMENT ON TABLE in_hand IS 'what is being read of each stream: of a run that died it tells what it died with';
COMMENT ON COLUMN in_hand.messages IS 'so many are in hand; 0 once what came of them is stored';
COMMENT ON COLUMN in_hand.place IS 'of the first of them';
COMMENT ON COLUMN in_hand.most IS 'messages of the next batch: fewer after deaths in a row';
COMMENT ON COLUMN in_hand.ends IS 'the last message that a run died with, by partition: deaths count until then';
COMMENT ON COLUMN in_hand.alone IS 'how many runs died with one message alone in hand, by its place';
