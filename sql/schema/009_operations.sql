-- purpose: what a person wants to see who runs the bridge: whole runs with their numbers, light curves of targets
-- makes: target_light_curve, restoration; kinds and the column counts of run_log; an index of tides_master
-- units: epochs in MJD (UTC)

ALTER TABLE run_log DROP CONSTRAINT run_log_kind_check;
ALTER TABLE run_log
ADD CONSTRAINT run_log_kind_check CHECK (kind IN ('bridge', 'pull', 'exchange', 'reconcile', 'backup')),
ADD COLUMN counts jsonb;

COMMENT ON TABLE run_log IS 'runs of the bridge and their parts: without ended_at one is at work, or was killed';
COMMENT ON COLUMN run_log.counts IS 'what a run of the bridge did, in the numbers of its summary';

CREATE TABLE target_light_curve (
    survey text NOT NULL,
    object_id text NOT NULL,
    last_detection_mjd double precision NOT NULL,
    now_mjd double precision NOT NULL,
    curve bytea NOT NULL,
    decided_at timestamptz NOT NULL,
    PRIMARY KEY (survey, object_id)
);

COMMENT ON TABLE target_light_curve IS 'the newest light curve with which each object passed, to be drawn';
COMMENT ON COLUMN target_light_curve.last_detection_mjd IS 'of the light curve [MJD]: an older one does not replace it';
COMMENT ON COLUMN target_light_curve.now_mjd IS 'when it was judged [MJD]: ages count from it';
COMMENT ON COLUMN target_light_curve.curve IS 'a table of Arrow with one row: an IPC stream, packed by zstd';

-- What was packed once gains nothing from being packed again.
ALTER TABLE target_light_curve ALTER COLUMN curve SET STORAGE EXTERNAL;

-- What is new since a run began, among the rows of five years.
CREATE INDEX tides_master_created ON tides_master (created_at);
CREATE INDEX refused_message_time ON refused_message (refused_at);

CREATE TABLE restoration (
    restored_at timestamptz PRIMARY KEY DEFAULT clock_timestamp(),
    taken_at timestamptz NOT NULL,
    file text NOT NULL
);

COMMENT ON TABLE restoration IS 'when this database was restored: 4MOST may know more than it does';
COMMENT ON COLUMN restoration.taken_at IS 'the newest thing that the backup knew: nothing older is forgotten';
