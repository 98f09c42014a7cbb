-- purpose: count who else uses this database
-- returns: sessions bigint

SELECT count(*) AS sessions
FROM pg_stat_activity
WHERE
    pg_stat_activity.datname = current_database()
    AND pg_stat_activity.backend_type = 'client backend'
    AND pg_stat_activity.pid <> pg_backend_pid();
