-- purpose: count the targets that 4MOST takes for active
-- returns: one row: number bigint

SELECT count(*) AS number
FROM tides_master
WHERE (tides_master.told_4most ->> 'is_active')::boolean;
