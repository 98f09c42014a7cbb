-- purpose: keep the light curves with which objects passed, the newest of each
-- params: surveys text[], object_ids text[], last_mjds double precision[] (last detection, MJD), curves bytea[] (all of
--         one length), now_mjd double precision (MJD; when they were judged), now timestamptz

INSERT INTO target_light_curve AS known (survey, object_id, last_detection_mjd, now_mjd, curve, decided_at)
SELECT
    given.survey,
    given.object_id,
    given.last_detection_mjd,
    %(now_mjd)s::double precision AS now_mjd,
    given.curve,
    %(now)s::timestamptz AS decided_at
FROM
    unnest(
        %(surveys)s::text[], %(object_ids)s::text[], %(last_mjds)s::double precision[], %(curves)s::bytea[]
    ) AS given (survey, object_id, last_detection_mjd, curve)
ON CONFLICT (survey, object_id) DO UPDATE
    SET
        last_detection_mjd = excluded.last_detection_mjd,
        now_mjd = excluded.now_mjd,
        curve = excluded.curve,
        decided_at = excluded.decided_at
    WHERE excluded.last_detection_mjd >= known.last_detection_mjd;
