-- purpose: keep what brokers say of targets' objects beyond the light curve
-- makes: annotation

CREATE TABLE annotation (
    annotation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    survey text NOT NULL,
    object_id text NOT NULL,
    name text NOT NULL,
    number double precision,
    word text,
    version text,
    broker text NOT NULL,
    mjd double precision NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((number IS NULL) <> (word IS NULL))
);

COMMENT ON TABLE annotation IS 'scores, classes, matches, redshifts of alerts: only added to, the newest count';
COMMENT ON COLUMN annotation.name IS 'source and name, as in docs/annotations.md';
COMMENT ON COLUMN annotation.version IS 'of the software that said it; NULL if the message does not tell';
COMMENT ON COLUMN annotation.mjd IS '[MJD, UTC] newest detection of the alert that said it first';

CREATE INDEX annotation_object ON annotation (object_id, survey, name, broker, mjd DESC, annotation_id DESC);

CREATE TRIGGER annotation_is_kept BEFORE UPDATE OR DELETE ON annotation
FOR EACH ROW EXECUTE FUNCTION refuse_change();
