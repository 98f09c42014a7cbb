-- purpose: word the statement that drops a database, its name quoted by the server
-- params: name text
-- returns: statement text

SELECT format('DROP DATABASE IF EXISTS %%I', %(name)s::text) AS statement;
