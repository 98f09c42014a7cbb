-- purpose: find where a target is
-- params: name text (of the target, or of one of its objects)
-- returns: one row a target, the best first: ra double precision, decl double precision (deg)

SELECT
    listed.ra,
    listed.decl
FROM listed_target AS listed
WHERE listed.tides_id
    = any(array(SELECT called.tides_id FROM targets_called(%(name)s::text, NULL) AS called (tides_id)))
ORDER BY (listed.name = %(name)s::text) DESC, listed.tides_id;
