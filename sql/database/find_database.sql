-- purpose: find a database of the server
-- params: name text
-- returns: a row if it is there

SELECT pg_database.datname
FROM pg_database
WHERE pg_database.datname = %(name)s::text;
