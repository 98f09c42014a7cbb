-- purpose: list the targets that may lie in the galaxy that a target is
-- params: tides_id bigint
-- returns: name text; no row of a target that is no galaxy

SELECT DISTINCT tides_master.name
FROM host
INNER JOIN host_candidate ON host.host_id = host_candidate.host_id
INNER JOIN association
    ON host_candidate.survey = association.survey AND host_candidate.object_id = association.object_id
INNER JOIN tides_master ON association.tides_id = tides_master.tides_id
WHERE host.tides_id = %(tides_id)s::bigint
ORDER BY tides_master.name;
