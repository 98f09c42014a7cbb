-- purpose: find the targets that have a name, or an object of that name; those whose own name it is first
-- params: name text
-- returns: tides_id bigint, name text, merged_into text: the name of the target that has its objects, NULL if itself

SELECT
    tides_master.tides_id,
    tides_master.name,
    kept.name AS merged_into
FROM tides_master
LEFT JOIN tides_master AS kept ON tides_master.merged_into = kept.tides_id
WHERE
    tides_master.name = %(name)s::text
    OR tides_master.tides_id IN (
        SELECT association.tides_id
        FROM association
        WHERE association.object_id = %(name)s::text
    )
ORDER BY (tides_master.name = %(name)s::text) DESC, tides_master.tides_id;
