-- purpose: load how bright the objects of one batch are, a row an object and band, from the client
-- needs: brightness_stage

COPY brightness_stage (
    survey,
    object_id,
    band,
    latest_mag,
    latest_error,
    latest_mjd,
    brightest_mag,
    brightest_error,
    brightest_mjd,
    n_detections,
    limit_mag,
    limit_mjd,
    forced_flux,
    forced_error,
    forced_mjd
) FROM STDIN WITH (FORMAT csv);
