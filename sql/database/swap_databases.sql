-- purpose: word the statements that put one database in the place of another, names quoted by the server
-- params: name text, aside text (what the old one is called afterwards), restored text (which one takes its place)
-- returns: put_aside text, take_over text: the two statements

SELECT
    format('ALTER DATABASE %%I RENAME TO %%I', %(name)s::text, %(aside)s::text) AS put_aside,
    format('ALTER DATABASE %%I RENAME TO %%I', %(restored)s::text, %(name)s::text) AS take_over;
