-- purpose: make the staging tables of one batch; they end with the transaction
-- makes: tides_stage, brightness_stage, temporary

CREATE TEMPORARY TABLE tides_stage (
    survey text NOT NULL,
    object_id text NOT NULL,
    ra double precision,
    decl double precision,
    scatter_arcsec double precision,
    first_detection_mjd double precision NOT NULL,
    last_detection_mjd double precision NOT NULL,
    n_detections integer NOT NULL,
    sherlock_class text,
    selection_function text NOT NULL,
    passes boolean NOT NULL,
    PRIMARY KEY (survey, object_id)
) ON COMMIT DROP;

CREATE TEMPORARY TABLE brightness_stage (
    survey text NOT NULL,
    object_id text NOT NULL,
    band text NOT NULL,
    latest_mag double precision,
    latest_error double precision,
    latest_mjd double precision,
    brightest_mag double precision,
    brightest_error double precision,
    brightest_mjd double precision,
    n_detections integer NOT NULL,
    limit_mag double precision,
    limit_mjd double precision,
    forced_flux double precision,
    forced_error double precision,
    forced_mjd double precision
) ON COMMIT DROP;
