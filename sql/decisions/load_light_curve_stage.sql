-- purpose: load the light curves of one batch from the client
-- needs: light_curve_stage

COPY light_curve_stage (
    survey,
    object_id,
    ra,
    decl,
    first_mjd,
    newest_mjd,
    curve_digest,
    curve
) FROM STDIN WITH (FORMAT csv);
