-- purpose: let an object that was given up begin anew, now that a newer alert of it has come
-- params: survey text, object_id text, newest_mjd double precision (MJD, of the newer alert)

DELETE FROM deferred_object
WHERE
    survey = %(survey)s::text AND object_id = %(object_id)s::text
    AND given_up_at IS NOT NULL
    AND (alert ->> 'newest_mjd')::double precision < %(newest_mjd)s::double precision;
