-- purpose: list the transients that may lie in a host which is off here, and still on at 4MOST as far as is known
-- returns: one row a transient: tides_id bigint

SELECT DISTINCT association.tides_id
FROM host
INNER JOIN tides_master ON host.tides_id = tides_master.tides_id
INNER JOIN host_candidate ON host.host_id = host_candidate.host_id
INNER JOIN association
    ON host_candidate.object_id = association.object_id AND host_candidate.survey = association.survey
WHERE NOT tides_master.active AND (tides_master.told_4most ->> 'is_active')::boolean;
