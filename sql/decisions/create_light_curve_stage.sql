-- purpose: make the temporary table that takes the light curves of one batch; it goes with the transaction
-- makes: light_curve_stage

CREATE TEMPORARY TABLE light_curve_stage (
    survey text NOT NULL,
    object_id text NOT NULL,
    ra double precision NOT NULL,
    decl double precision NOT NULL,
    first_mjd double precision NOT NULL,
    newest_mjd double precision NOT NULL,
    curve_digest uuid NOT NULL,
    curve bytea NOT NULL,
    PRIMARY KEY (survey, object_id)
) ON COMMIT DROP;
