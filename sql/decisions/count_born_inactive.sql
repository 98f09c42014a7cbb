-- purpose: count the new targets of a batch that are off from the start
-- needs: changed_target, after activate_staged
-- returns: number bigint

SELECT count(*) AS number
FROM changed_target
INNER JOIN tides_master ON changed_target.tides_id = tides_master.tides_id
WHERE changed_target.is_new AND NOT tides_master.active;
