-- purpose: tell which state the list has of some targets, and the object that was reported first
-- params: names text[] (of targets)
-- returns: name text, state text, survey text, object_id text; by name

SELECT
    listed_target.name,
    listed_target.state,
    listed_target.survey,
    listed_target.object_id
FROM listed_target
WHERE listed_target.name = ANY(%(names)s::text[])
ORDER BY listed_target.name;
