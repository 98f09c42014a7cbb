-- purpose: count the targets that 4MOST shows otherwise than it was asked, and is not asked for again
-- params: times integer (so often it was asked)
-- returns: number bigint

SELECT count(*) AS number
FROM tides_master
WHERE (tides_master.otherwise_4most ->> 'times')::integer >= %(times)s::integer;
