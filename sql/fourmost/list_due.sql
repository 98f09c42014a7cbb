-- purpose: list the targets of which 4MOST may have to be told something, as they or the time have changed
-- params: now_mjd double precision (MJD, UTC)
-- returns: one row a target: tides_id bigint

SELECT DISTINCT due.tides_id
FROM due_targets(%(now_mjd)s::double precision) AS due
ORDER BY due.tides_id;
