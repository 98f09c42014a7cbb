-- purpose: load the rows of a delivery from the client; an empty field is NULL
-- needs: spectrum_stage

COPY spectrum_stage (
    row_number,
    u_obj_id,
    targ_id,
    pk_4most,
    object_name,
    ra,
    decl,
    spec_uid,
    ob_id,
    mjd,
    exposure_s,
    snr,
    seeing_arcsec,
    sky_mag,
    combined,
    redshift,
    redshift_error,
    redshift_warning,
    redshift_template,
    redshift_probability,
    flag,
    fibre_use
) FROM STDIN WITH (FORMAT csv);
