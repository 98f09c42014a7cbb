-- purpose: get why an object waits for its light curve, if it does
-- params: object_id text, survey text (NULL for any)
-- returns: survey text, reason text, attempts integer, deferred_at timestamptz, next_attempt_at timestamptz,
--          given_up_at timestamptz

SELECT
    deferred_object.survey,
    deferred_object.reason,
    deferred_object.attempts,
    deferred_object.deferred_at,
    deferred_object.next_attempt_at,
    deferred_object.given_up_at
FROM deferred_object
WHERE
    deferred_object.object_id = %(object_id)s::text
    AND (%(survey)s::text IS NULL OR deferred_object.survey = %(survey)s::text)
ORDER BY deferred_object.survey;
