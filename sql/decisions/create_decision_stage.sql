-- purpose: make the temporary table that takes the decisions of one batch; it goes with the transaction
-- makes: decision_stage

CREATE TEMPORARY TABLE decision_stage (
    survey text NOT NULL,
    object_id text NOT NULL,
    function text NOT NULL,
    version text NOT NULL,
    role text NOT NULL,
    code_version text NOT NULL,
    curve_digest uuid NOT NULL,
    n_detections integer NOT NULL,
    newest_mjd double precision NOT NULL,
    measured jsonb NOT NULL,
    failed text[] NOT NULL,
    passed boolean NOT NULL,
    trigger_mjd double precision,
    judged_with text[],
    now_mjd double precision NOT NULL,
    left_out integer NOT NULL
) ON COMMIT DROP;
