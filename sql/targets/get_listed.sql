-- purpose: get the row of the list of the target that has a name, best first: its own name before that of an object
-- params: name text
-- returns: the columns of listed_target

SELECT listed.*
FROM listed_target AS listed
WHERE listed.tides_id = any(array(SELECT targets_called(%(name)s::text, NULL)))
ORDER BY (listed.name = %(name)s::text) DESC, (listed.state = 'merged'), listed.tides_id
LIMIT 1;
