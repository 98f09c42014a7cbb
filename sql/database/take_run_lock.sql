-- purpose: be the only run on this database; freed when the session ends, however it ends
-- params: key bigint
-- returns: taken boolean

SELECT pg_try_advisory_lock(%(key)s::bigint) AS taken;
