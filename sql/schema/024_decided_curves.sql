-- purpose: keep light curves as they were decided on, so that a decision can be taken again
-- makes: decided_light_curve

CREATE TABLE decided_light_curve (
    object_id text NOT NULL,
    survey text NOT NULL,
    curve_digest uuid NOT NULL,
    curve bytea NOT NULL,
    stored_at timestamptz NOT NULL,
    PRIMARY KEY (object_id, survey, curve_digest)
);

COMMENT ON TABLE decided_light_curve IS 'each light curve that was decided on, once; whose, decisions.lightCurves says';
COMMENT ON COLUMN decided_light_curve.curve IS 'a table of Arrow with one row: an IPC stream, packed by zstd';

ALTER TABLE decided_light_curve ALTER COLUMN curve SET STORAGE EXTERNAL;
