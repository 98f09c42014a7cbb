-- purpose: list the targets without a row at 4MOST that have some names there
-- params: names text[] (in lower case)
-- returns: one row a target: tides_id bigint, name text, ra double precision, dec double precision

SELECT
    tides_master.tides_id,
    tides_master.name,
    tides_master.ra,
    tides_master.decl AS dec
FROM tides_master
WHERE
    tides_master.pk_4most IS NULL
    AND tides_master.asked_4most IS NULL
    AND lower(tides_master.name) = any(%(names)s::text[])
ORDER BY tides_master.tides_id;
