-- purpose: list how bright an object of a target was in each band: the newest and the brightest detection
-- params: object_id text, survey text (NULL for any)
-- returns: survey text, object_id text, band text, latest_mag, latest_error, latest_mjd, brightest_mag,
--          brightest_error, brightest_mjd double precision (mag, MJD), n_detections integer

SELECT
    bright.survey,
    bright.object_id,
    bright.band,
    bright.latest_mag,
    bright.latest_error,
    bright.latest_mjd,
    bright.brightest_mag,
    bright.brightest_error,
    bright.brightest_mjd,
    bright.n_detections
FROM object_brightness AS bright
WHERE
    bright.object_id = %(object_id)s::text
    AND (%(survey)s::text IS NULL OR bright.survey = %(survey)s::text)
    AND bright.n_detections > 0
ORDER BY bright.survey, position(bright.band IN 'ugrizy');
