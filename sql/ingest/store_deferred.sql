-- purpose: keep one object whose light curve could not be had; count the attempt if it was asked for
-- params: survey text, object_id text, alert jsonb, reason text, attempts integer (1 if asked for, else 0),
--         tried_at timestamptz (NULL if not asked for)

INSERT INTO deferred_object (survey, object_id, alert, reason, attempts, tried_at)
VALUES (
    %(survey)s::text, %(object_id)s::text, %(alert)s::jsonb, %(reason)s::text,
    %(attempts)s::integer, %(tried_at)s::timestamptz
)
ON CONFLICT (survey, object_id) DO UPDATE
    SET
        alert = CASE
            WHEN (excluded.alert ->> 'newest_mjd')::double precision
                >= (deferred_object.alert ->> 'newest_mjd')::double precision THEN excluded.alert
            ELSE deferred_object.alert
        END,
        reason = excluded.reason,
        attempts = deferred_object.attempts + excluded.attempts,
        tried_at = coalesce(excluded.tried_at, deferred_object.tried_at);
