-- purpose: store a delivery with its rows
-- needs: spectrum_stage
-- params: path text, digest text, night date, software text, made_at text

WITH made AS (
    INSERT INTO delivery (path, digest, night, software, made_at, spectra)
    SELECT
        %(path)s::text,
        %(digest)s::text,
        %(night)s::date,
        %(software)s::text,
        %(made_at)s::text,
        count(*)
    FROM spectrum_stage
    RETURNING delivery_id
)

INSERT INTO spectrum (
    delivery_id,
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
)
SELECT
    made.delivery_id,
    spectrum_stage.row_number,
    spectrum_stage.u_obj_id,
    spectrum_stage.targ_id,
    spectrum_stage.pk_4most,
    spectrum_stage.object_name,
    spectrum_stage.ra,
    spectrum_stage.decl,
    spectrum_stage.spec_uid,
    spectrum_stage.ob_id,
    spectrum_stage.mjd,
    spectrum_stage.exposure_s,
    spectrum_stage.snr,
    spectrum_stage.seeing_arcsec,
    spectrum_stage.sky_mag,
    spectrum_stage.combined,
    spectrum_stage.redshift,
    spectrum_stage.redshift_error,
    spectrum_stage.redshift_warning,
    spectrum_stage.redshift_template,
    spectrum_stage.redshift_probability,
    spectrum_stage.flag,
    spectrum_stage.fibre_use
FROM made
CROSS JOIN spectrum_stage;
