-- purpose: begin an epoch of our own; what an older one has not committed is undone
-- needs: the lock of the only run
-- params: key bigint (an advisory lock that every transaction of a run shares)
-- returns: epoch bigint

SET LOCAL lock_timeout = '60s';

-- One of a role that is not ours is waited for.
SELECT pg_terminate_backend(pg_locks.pid) AS is_ended
FROM pg_locks
INNER JOIN pg_stat_activity ON pg_locks.pid = pg_stat_activity.pid
WHERE
    pg_locks.locktype = 'advisory'
    AND pg_locks.database = (SELECT pg_database.oid FROM pg_database WHERE pg_database.datname = current_database())
    AND (pg_locks.classid::bigint << 32) + pg_locks.objid::bigint = %(key)s::bigint
    AND pg_locks.objsubid = 1
    AND pg_locks.pid <> pg_backend_pid()
    AND pg_has_role(pg_stat_activity.usesysid, 'USAGE');

SELECT pg_advisory_xact_lock(%(key)s::bigint);

-- Not counted on alone: a database that is restored from a backup would give the numbers of before once more.
UPDATE run_epoch
SET epoch = greatest(run_epoch.epoch + 1, (1000 * extract(EPOCH FROM clock_timestamp()))::bigint)
RETURNING run_epoch.epoch;
