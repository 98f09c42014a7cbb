-- purpose: word the statement that makes a database, its name quoted by the server: a name cannot be a parameter
-- params: name text
-- returns: statement text

SELECT format('CREATE DATABASE %%I', %(name)s::text) AS statement;
