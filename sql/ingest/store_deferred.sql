-- purpose: keep one object whose light curve could not be had, or count one more attempt
-- params: survey text, object_id text, alert jsonb, reason text, now timestamptz

INSERT INTO deferred_object (survey, object_id, alert, reason, deferred_at, tried_at)
VALUES (
    %(survey)s::text, %(object_id)s::text, %(alert)s::jsonb, %(reason)s::text,
    %(now)s::timestamptz, %(now)s::timestamptz
)
ON CONFLICT (survey, object_id) DO UPDATE
    SET
        alert = CASE
            WHEN (excluded.alert ->> 'newest_mjd')::double precision
                >= (deferred_object.alert ->> 'newest_mjd')::double precision THEN excluded.alert
            ELSE deferred_object.alert
        END,
        reason = excluded.reason,
        attempts = deferred_object.attempts + 1,
        tried_at = excluded.tried_at;
