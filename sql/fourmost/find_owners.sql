-- purpose: find the targets that have rows at 4MOST
-- params: keys bigint[] (of the rows)
-- returns: one row a target: tides_id, name, pk_4most, told_4most, active

SELECT
    tides_master.tides_id,
    tides_master.name,
    tides_master.pk_4most,
    tides_master.told_4most,
    tides_master.active
FROM tides_master
WHERE tides_master.pk_4most = ANY(%(keys)s::bigint[])
ORDER BY tides_master.tides_id;
