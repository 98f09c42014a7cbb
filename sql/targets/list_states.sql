-- purpose: tell the state of some targets
-- params: tides_ids bigint[]
-- returns: tides_id bigint, state text: active, or why it is off

SELECT
    tides_master.tides_id,
    CASE WHEN tides_master.active THEN 'active' ELSE coalesce(tides_master.inactive_reason, 'off') END AS state
FROM tides_master
WHERE tides_master.tides_id = ANY(%(tides_ids)s::bigint[])
ORDER BY tides_master.tides_id;
