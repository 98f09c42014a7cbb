-- purpose: find the targets that satisfy a filter
-- needs: listed_target, settled
-- params: chosen jsonb (as filter_listed has it)
-- returns: one row a target: tides_id bigint, name text, state text, sherlock_class text, last_detection_mjd; those
--          that were merged are found by the state merged only

SELECT
    listed.tides_id,
    listed.name,
    listed.state,
    listed.sherlock_class,
    listed.last_detection_mjd
FROM filter_listed(%(chosen)s::jsonb) AS listed
ORDER BY listed.tides_id;
