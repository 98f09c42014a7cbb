-- purpose: find the targets that satisfy a filter, if they are few
-- params: chosen jsonb (as filter_listed has it), most integer
-- returns: one row a target, in no order, not more than asked for: tides_id bigint

SELECT listed.tides_id
FROM filter_listed(%(chosen)s::jsonb) AS listed
LIMIT %(most)s::integer;
