-- purpose: list the galaxies that some targets may lie in, the likeliest first
-- params: tides_ids bigint[]
-- returns: one row a target and galaxy, three at most: tides_id bigint, place bigint, the columns of host, of
--          which tides_id is host_tides_id, separation_arcsec double precision, radii double precision, probability
--          double precision, sources text

SELECT
    host.*,
    host.tides_id AS host_tides_id,
    found.tides_id,
    found.place,
    found.separation_arcsec,
    found.radii,
    found.probability,
    found.sources
FROM hosts_of_targets(%(tides_ids)s::bigint[]) AS found
INNER JOIN host ON found.host_id = host.host_id
ORDER BY found.tides_id, found.place;
