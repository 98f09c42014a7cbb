-- purpose: list the deferred objects to try again, the longest untried first
-- params: number integer
-- returns: alert jsonb

SELECT deferred_object.alert
FROM deferred_object
ORDER BY deferred_object.tried_at NULLS FIRST, deferred_object.object_id
LIMIT %(number)s::integer;
