-- purpose: load the decisions of one batch from the client; an empty field is NULL
-- needs: decision_stage

COPY decision_stage (
    survey,
    object_id,
    function,
    version,
    role,
    code_version,
    curve_digest,
    n_detections,
    newest_mjd,
    measured,
    failed,
    passed,
    trigger_mjd,
    judged_with,
    now_mjd,
    left_out
) FROM STDIN WITH (FORMAT csv);
