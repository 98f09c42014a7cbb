-- purpose: what makes a run safe to be killed: positions in the stream, decisions, the log of the exchange and of runs
-- makes: stream_position, decision, exchange_log, run_log; columns of tides_master, refused_message, deferred_object,
--        api_call

CREATE TABLE stream_position (
    group_id text NOT NULL,
    topic text NOT NULL,
    partition_number integer NOT NULL,
    next_offset bigint NOT NULL,
    last_digest text,
    stored_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (group_id, topic, partition_number)
);

COMMENT ON TABLE stream_position IS 'where the stream is to be read on; what Kafka has under the group is a copy';
COMMENT ON COLUMN stream_position.last_digest IS 'of the message before: a topic filled anew has another there';

CREATE TABLE decision (
    survey text NOT NULL,
    object_id text NOT NULL,
    selection_function text NOT NULL,
    passed boolean NOT NULL,
    newest_mjd double precision NOT NULL,
    decided_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (survey, object_id)
);

COMMENT ON TABLE decision IS 'the latest decision on every object that was ever judged';
COMMENT ON COLUMN decision.newest_mjd IS 'newest detection that the judged alert knew [MJD]';

ALTER TABLE refused_message ADD COLUMN accepted_at timestamptz;

COMMENT ON COLUMN refused_message.accepted_at IS 'when tides refused retry could read it after all';

ALTER TABLE deferred_object
ADD COLUMN next_attempt_at timestamptz NOT NULL DEFAULT now(),
ADD COLUMN given_up_at timestamptz;

COMMENT ON COLUMN deferred_object.given_up_at IS 'when it was tried for the last time; a newer alert tries it again';

CREATE INDEX deferred_object_due ON deferred_object (next_attempt_at) WHERE given_up_at IS NULL;

ALTER TABLE api_call ADD COLUMN api_call_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;

-- The exchange: an intent is a row of status asked, committed before the call; its answer is another row, which names
-- the intent. Nothing is ever changed or removed here.
CREATE TABLE exchange_log (
    exchange_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tides_id bigint NOT NULL REFERENCES tides_master,
    operation text NOT NULL CHECK (operation IN ('create', 'update', 'deactivate', 'reconcile')),
    status text NOT NULL
    CHECK (status IN ('asked', 'confirmed', 'refused', 'unanswered', 'adopted', 'absent', 'repaired')),
    intent_id bigint REFERENCES exchange_log,
    attempt integer NOT NULL DEFAULT 1,
    pk_4most bigint,
    payload jsonb,
    answer text,
    logged_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE exchange_log IS 'what 4MOST was asked, and what it answered: only added to';

CREATE INDEX exchange_log_target ON exchange_log (tides_id, exchange_id);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'exchange_log is only added to';
END
$$;

CREATE TRIGGER exchange_log_is_kept BEFORE UPDATE OR DELETE ON exchange_log
FOR EACH ROW EXECUTE FUNCTION refuse_change();

ALTER TABLE tides_master
ADD COLUMN asked_4most bigint REFERENCES exchange_log,
ADD COLUMN wanted_4most jsonb;

COMMENT ON COLUMN tides_master.asked_4most IS 'the intent in exchange_log that has no final answer yet';
COMMENT ON COLUMN tides_master.wanted_4most IS 'wanted, not allowed: what changed after 4MOST had ingested the target';

WITH asked AS (
    INSERT INTO exchange_log (tides_id, operation, status, logged_at)
    SELECT
        tides_master.tides_id,
        'create' AS operation,
        'asked' AS status,
        tides_master.create_asked_4most_at
    FROM tides_master
    WHERE tides_master.create_asked_4most_at IS NOT NULL AND tides_master.pk_4most IS NULL
    RETURNING exchange_log.exchange_id, exchange_log.tides_id
)

UPDATE tides_master
SET asked_4most = asked.exchange_id
FROM asked
WHERE tides_master.tides_id = asked.tides_id;

ALTER TABLE tides_master DROP COLUMN create_asked_4most_at;

CREATE INDEX tides_master_asked ON tides_master (tides_id) WHERE asked_4most IS NOT NULL;

CREATE TABLE run_log (
    run_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('pull', 'exchange', 'reconcile')),
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    problem text
);

COMMENT ON TABLE run_log IS 'pulls, exchanges and reconciliations: without ended_at one is at work, or was killed';

CREATE INDEX run_log_kind ON run_log (kind, run_id);
