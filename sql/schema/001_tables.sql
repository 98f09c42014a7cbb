-- purpose: the tables of the bridge
-- makes: tides_master, refused_message, deferred_object, api_call; the functions newest and inactive_reason
-- units: angles in degrees (ICRS), epochs in MJD (UTC), magnitudes as the survey gives them

CREATE TABLE tides_master (
    tides_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    survey text NOT NULL,
    object_id text NOT NULL,
    name text NOT NULL,
    ra double precision NOT NULL CHECK (ra >= 0 AND ra < 360),
    decl double precision NOT NULL CHECK (decl BETWEEN -90 AND 90),
    first_detection_mjd double precision NOT NULL,
    last_detection_mjd double precision NOT NULL,
    n_detections integer NOT NULL,
    sherlock_class text,
    selection_function text NOT NULL,
    u_latest_mag double precision,
    u_latest_mjd double precision,
    u_brightest_mag double precision,
    u_brightest_mjd double precision,
    g_latest_mag double precision,
    g_latest_mjd double precision,
    g_brightest_mag double precision,
    g_brightest_mjd double precision,
    r_latest_mag double precision,
    r_latest_mjd double precision,
    r_brightest_mag double precision,
    r_brightest_mjd double precision,
    i_latest_mag double precision,
    i_latest_mjd double precision,
    i_brightest_mag double precision,
    i_brightest_mjd double precision,
    z_latest_mag double precision,
    z_latest_mjd double precision,
    z_brightest_mag double precision,
    z_brightest_mjd double precision,
    y_latest_mag double precision,
    y_latest_mjd double precision,
    y_brightest_mag double precision,
    y_brightest_mjd double precision,
    active boolean NOT NULL DEFAULT FALSE,
    inactive_reason text,
    has_spectrum boolean NOT NULL DEFAULT FALSE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    pk_4most bigint UNIQUE,
    create_asked_4most_at timestamptz,
    told_4most jsonb,
    told_4most_at timestamptz,
    refused_4most text,
    refused_4most_payload jsonb,
    ostd_targ_id bigint,
    ostd_u_obj_id bigint,
    date_ingested timestamptz,
    UNIQUE (survey, object_id)
);

COMMENT ON TABLE tides_master IS 'every object that ever satisfied a selection function';
COMMENT ON COLUMN tides_master.name IS 'as at 4MOST';
COMMENT ON COLUMN tides_master.inactive_reason IS 'why it is switched off: unseen, faint or spectrum';
COMMENT ON COLUMN tides_master.has_spectrum IS 'a spectrum was taken: it must not be switched on again';
COMMENT ON COLUMN tides_master.pk_4most IS 'the key of its row at 4MOST';
COMMENT ON COLUMN tides_master.create_asked_4most_at IS 'when creation was asked for: look it up before asking again';
COMMENT ON COLUMN tides_master.told_4most IS 'what 4MOST last confirmed';
COMMENT ON COLUMN tides_master.refused_4most IS 'why it cannot be sent: not asked again until its payload changes';

-- Positional questions: a strip in declination first, the exact great circle within it.
CREATE INDEX tides_master_decl ON tides_master (decl);
CREATE INDEX tides_master_active ON tides_master (last_detection_mjd) WHERE active;
CREATE INDEX tides_master_told_active ON tides_master (tides_id) WHERE (told_4most ->> 'is_active')::boolean;

-- An update that changes nothing is none, and one that does sets updated_at; in this order, by name.
CREATE TRIGGER a_suppress_redundant_updates BEFORE UPDATE ON tides_master
FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();

CREATE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at = clock_timestamp();
    RETURN NEW;
END
$$;

CREATE TRIGGER b_set_updated_at BEFORE UPDATE ON tides_master
FOR EACH ROW EXECUTE FUNCTION set_updated_at();

-- The value with the later epoch; the first where they are equal. A value without an epoch loses.
CREATE FUNCTION newest(
    mjd double precision, value anyelement, other_mjd double precision, other_value anyelement
) RETURNS anyelement LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN other_mjd IS NULL OR mjd >= other_mjd THEN value ELSE other_value END
$$;

-- Why an object is no target now, NULL if it is one. Latest magnitudes and faint limits come in the order u g r i z y.
CREATE FUNCTION inactive_reason(
    has_spectrum boolean,
    last_detection_mjd double precision,
    latest_mags double precision[],
    now_mjd double precision,
    deactivate_after_days double precision,
    faint_limits double precision[]
) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN has_spectrum THEN 'spectrum'
        WHEN last_detection_mjd < now_mjd - deactivate_after_days THEN 'unseen'
        WHEN (
            SELECT bool_and(seen.mag > seen.faint_limit)
            FROM unnest(latest_mags, faint_limits) AS seen (mag, faint_limit)
            WHERE seen.mag IS NOT NULL AND seen.faint_limit IS NOT NULL
        ) THEN 'faint'
    END
$$;

CREATE TABLE refused_message (
    refused_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    partition_number integer NOT NULL,
    stream_offset bigint NOT NULL,
    body bytea NOT NULL,
    reason text NOT NULL,
    refused_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE refused_message IS 'messages that could not be read, as they came';

CREATE UNIQUE INDEX refused_message_once ON refused_message (topic, partition_number, stream_offset, md5(body));

CREATE TABLE deferred_object (
    survey text NOT NULL,
    object_id text NOT NULL,
    alert jsonb NOT NULL,
    reason text NOT NULL,
    attempts integer NOT NULL,
    deferred_at timestamptz NOT NULL DEFAULT now(),
    tried_at timestamptz,
    PRIMARY KEY (survey, object_id)
);

COMMENT ON TABLE deferred_object IS 'objects whose light curve could not be had yet: tried again in every run';

CREATE TABLE api_call (
    called_at timestamptz NOT NULL,
    calls integer NOT NULL
);

COMMENT ON TABLE api_call IS 'calls of the light-curve API, for its hourly limit';

CREATE INDEX api_call_time ON api_call (called_at);
