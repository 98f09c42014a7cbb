-- purpose: list the deferred objects that are due, the newest first detection first
-- params: broker text, number integer, now timestamptz
-- returns: alert jsonb

SELECT deferred_object.alert
FROM deferred_object
WHERE
    deferred_object.broker = %(broker)s::text
    AND deferred_object.given_up_at IS NULL
    AND deferred_object.next_attempt_at <= %(now)s::timestamptz
ORDER BY
    coalesce(
        (deferred_object.alert ->> 'first_mjd')::double precision,
        (deferred_object.alert ->> 'newest_mjd')::double precision
    ) DESC,
    deferred_object.object_id
LIMIT %(number)s::integer;
