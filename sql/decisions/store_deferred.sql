-- purpose: keep one object whose light curve could not be had; count the attempt if it was asked for
-- params: broker text, survey text, object_id text, alert jsonb, reason text,
--         attempts integer (1 if asked for, else 0), tried_at timestamptz (NULL if not asked for),
--         now timestamptz, wait interval (to the next attempt), longest_wait interval,
--         give_up_after interval (NULL for never)

-- An object at fault waits twice as long after each attempt; with wait 0 it is due in the next run.
INSERT INTO deferred_object AS known (
    broker, survey, object_id, alert, reason, attempts, deferred_at, tried_at, next_attempt_at
)
VALUES (
    %(broker)s::text, %(survey)s::text, %(object_id)s::text, %(alert)s::jsonb, %(reason)s::text,
    %(attempts)s::integer,
    %(now)s::timestamptz, %(tried_at)s::timestamptz, %(now)s::timestamptz + %(wait)s::interval
)
ON CONFLICT (survey, object_id) DO UPDATE
    SET
        broker = excluded.broker,
        alert = CASE
            WHEN (excluded.alert ->> 'newest_mjd')::double precision
                >= (known.alert ->> 'newest_mjd')::double precision THEN excluded.alert
            ELSE known.alert
        END,
        reason = excluded.reason,
        attempts = known.attempts + excluded.attempts,
        tried_at = coalesce(excluded.tried_at, known.tried_at),
        next_attempt_at = %(now)s::timestamptz + least(
            least(%(wait)s::interval, %(longest_wait)s::interval) * power(2, least(known.attempts, 20)),
            %(longest_wait)s::interval
        ),
        given_up_at = CASE
            WHEN known.deferred_at + %(give_up_after)s::interval <= %(now)s::timestamptz
                THEN coalesce(known.given_up_at, %(now)s::timestamptz)
            ELSE known.given_up_at
        END;
