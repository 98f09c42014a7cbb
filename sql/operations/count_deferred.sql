-- purpose: count deferred objects by reason
-- returns: reason text, given_up boolean, objects bigint, next_attempt_at timestamptz (the earliest)

SELECT
    deferred_object.reason,
    deferred_object.given_up_at IS NOT NULL AS given_up,
    count(*) AS objects,
    min(deferred_object.next_attempt_at) AS next_attempt_at
FROM deferred_object
GROUP BY deferred_object.reason, deferred_object.given_up_at IS NOT NULL
ORDER BY objects DESC, deferred_object.reason;
