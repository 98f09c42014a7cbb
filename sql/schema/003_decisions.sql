-- purpose: the record of the selection: every evaluation of every object, and which functions were in force when
-- makes: selection_function, selection_in_force, decision (partitioned by month), last_decision (the former decision);
--        the functions make_decision_partitions and drop_decisions; the view decision_criteria
-- units: epochs in MJD (UTC); months and times of day in UTC

CREATE TABLE selection_function (
    name text NOT NULL,
    version text NOT NULL,
    normalised_text text NOT NULL,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, version)
);

COMMENT ON TABLE selection_function IS 'every selection function that ever judged: what it demanded';
COMMENT ON COLUMN selection_function.version IS '12 hexadecimal characters of the SHA-256 of normalised_text';

CREATE TABLE selection_in_force (
    function text NOT NULL,
    version text NOT NULL,
    role text NOT NULL CHECK (role IN ('active', 'shadow')),
    since timestamptz NOT NULL,
    until timestamptz CHECK (until >= since),
    FOREIGN KEY (function, version) REFERENCES selection_function (name, version)
);

COMMENT ON TABLE selection_in_force IS 'when each function was judged by: without until it still is';
COMMENT ON COLUMN selection_in_force.role IS 'active chooses the targets; shadow is judged and recorded only';

CREATE UNIQUE INDEX selection_in_force_open ON selection_in_force (function, version, role) WHERE until IS NULL;

-- The latest decision on each object, now of each function; before there was one active function, of no known version.
ALTER TABLE decision RENAME TO last_decision;
ALTER TABLE last_decision RENAME COLUMN selection_function TO function;
ALTER TABLE last_decision DROP CONSTRAINT decision_pkey;
ALTER TABLE last_decision ADD PRIMARY KEY (survey, object_id, function);
ALTER TABLE last_decision
ADD COLUMN version text,
ADD COLUMN role text NOT NULL DEFAULT 'active' CHECK (role IN ('active', 'shadow')),
ADD COLUMN curve_digest uuid,
ADD COLUMN failed text[] NOT NULL DEFAULT '{}',
ADD COLUMN trigger_mjd double precision;
ALTER TABLE last_decision ALTER COLUMN role DROP DEFAULT;
ALTER TABLE last_decision ALTER COLUMN failed DROP DEFAULT;
ALTER TABLE last_decision ALTER COLUMN decided_at DROP DEFAULT;

COMMENT ON TABLE last_decision IS 'the latest decision of each function on every object that it ever judged';
COMMENT ON COLUMN last_decision.version IS 'NULL for a decision from before versions were kept';

CREATE SEQUENCE decision_id AS bigint;

CREATE TABLE decision (
    decision_id bigint NOT NULL DEFAULT nextval('decision_id'),
    decided_at timestamptz NOT NULL,
    run_id bigint REFERENCES run_log,
    newest_mjd double precision NOT NULL,
    trigger_mjd double precision,
    curve_digest uuid NOT NULL,
    n_detections integer NOT NULL,
    passed boolean NOT NULL,
    is_stale boolean NOT NULL,
    survey text NOT NULL,
    object_id text NOT NULL,
    function text NOT NULL,
    version text NOT NULL,
    role text NOT NULL CHECK (role IN ('active', 'shadow')),
    code_version text NOT NULL,
    failed text[] NOT NULL,
    measured jsonb NOT NULL
) PARTITION BY RANGE (decided_at);

ALTER SEQUENCE decision_id OWNED BY decision.decision_id;

COMMENT ON TABLE decision IS 'every evaluation that said something new, rejections too: only added to, a month a part';
COMMENT ON COLUMN decision.newest_mjd IS 'newest detection that the judged alert knew [MJD]';
COMMENT ON COLUMN decision.trigger_mjd IS 'first detection at which the light curve so far passed [MJD]';
COMMENT ON COLUMN decision.curve_digest IS 'of the light curve judged, and of what was known beside it';
COMMENT ON COLUMN decision.code_version IS 'of the bridge that judged: its version, and a digest of its sources';
COMMENT ON COLUMN decision.is_stale IS 'judged for an alert older than one judged before: last_decision stays';
COMMENT ON COLUMN decision.failed IS 'paths of the criteria that are not fulfilled; within any or not one may pass so';
COMMENT ON COLUMN decision.measured IS 'by the path of a criterion what was measured; null where nothing could be';

CREATE INDEX decision_object ON decision (object_id, survey, decided_at);

CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%% is only added to', tg_table_name;
END
$$;

CREATE TRIGGER decision_is_kept BEFORE UPDATE OR DELETE ON decision
FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The partition of the month of a time, and that of the next, as far as they are not there yet.
CREATE FUNCTION make_decision_partitions(at timestamptz) RETURNS void LANGUAGE plpgsql SET timezone TO 'UTC' AS $$
DECLARE
    month timestamptz;
BEGIN
    FOREACH month IN ARRAY ARRAY[date_trunc('month', at), date_trunc('month', at) + interval '1 month'] LOOP
        IF to_regclass('decision_' || to_char(month, 'YYYY_MM')) IS NULL THEN
            EXECUTE format(
                'CREATE TABLE %%I PARTITION OF decision FOR VALUES FROM (%%L) TO (%%L)',
                'decision_' || to_char(month, 'YYYY_MM'), month, month + interval '1 month'
            );
        END IF;
    END LOOP;
END
$$;

-- Drops the partitions all of whose months lie before a time; gives their number.
CREATE FUNCTION drop_decisions(before timestamptz) RETURNS integer LANGUAGE plpgsql SET timezone TO 'UTC' AS $$
DECLARE
    part text;
    dropped integer := 0;
BEGIN
    FOR part IN
        SELECT pg_class.relname
        FROM pg_inherits
        INNER JOIN pg_class ON pg_class.oid = pg_inherits.inhrelid
        WHERE pg_inherits.inhparent = 'decision'::regclass AND pg_class.relname ~ '^decision_\d{4}_\d{2}$'
        ORDER BY pg_class.relname
    LOOP
        IF to_timestamp(right(part, 7), 'YYYY_MM') + interval '1 month' <= before THEN
            EXECUTE format('ALTER TABLE decision DETACH PARTITION %%I', part);
            EXECUTE format('DROP TABLE %%I', part);
            dropped := dropped + 1;
        END IF;
    END LOOP;
    RETURN dropped;
END
$$;

SELECT make_decision_partitions(now());

-- For a person in psql: a row for each criterion of each decision.
CREATE VIEW decision_criteria AS
SELECT
    decision.decision_id,
    decision.decided_at,
    decision.survey,
    decision.object_id,
    decision.function,
    decision.version,
    criterion.path,
    criterion.measured,
    criterion.path <> ALL(decision.failed) AS is_fulfilled
FROM decision
CROSS JOIN LATERAL jsonb_each(decision.measured) AS criterion (path, measured);
