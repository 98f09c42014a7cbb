-- purpose: list the rows at 4MOST that had names of ours lately, and that this database never made or adopted
-- params: days integer (that are looked back)
-- returns: one row a row there: id bigint, name text

SELECT DISTINCT
    (renaming.payload ->> 'id')::bigint AS id,
    renaming.payload ->> 'name' AS name
FROM exchange_log AS renaming
WHERE
    renaming.operation = 'create'
    AND renaming.status = 'repaired'
    AND renaming.payload IS NOT NULL
    AND renaming.logged_at > now() - make_interval(days => %(days)s::integer)
    AND NOT EXISTS (
        SELECT FROM tides_master
        WHERE tides_master.pk_4most = (renaming.payload ->> 'id')::bigint
    )
ORDER BY id;
