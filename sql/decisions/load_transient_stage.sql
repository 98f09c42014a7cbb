-- purpose: load what is known of the objects of one batch from the client; an empty field is NULL
-- needs: tides_stage

COPY tides_stage (
    survey,
    object_id,
    ra,
    decl,
    scatter_arcsec,
    first_detection_mjd,
    last_detection_mjd,
    n_detections,
    sherlock_class,
    selection_function,
    passes
) FROM STDIN WITH (FORMAT csv);
