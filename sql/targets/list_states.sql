-- purpose: tell the state of targets
-- params: tides_ids bigint[] (NULL for all)
-- returns: tides_id bigint, name text, state text: active, or why it is off

SELECT
    tides_master.tides_id,
    tides_master.name,
    CASE WHEN tides_master.active THEN 'active' ELSE coalesce(tides_master.inactive_reason, 'off') END AS state
FROM tides_master
WHERE %(tides_ids)s::bigint[] IS NULL OR tides_master.tides_id = ANY(%(tides_ids)s::bigint[])
ORDER BY tides_master.tides_id;
