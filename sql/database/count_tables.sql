-- purpose: tell whether a database is empty
-- returns: tables bigint: how many tables there are

SELECT count(*) AS tables
FROM pg_class
INNER JOIN pg_namespace ON pg_class.relnamespace = pg_namespace.oid
WHERE pg_class.relkind IN ('r', 'p') AND pg_namespace.nspname = 'public';
