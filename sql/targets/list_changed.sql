-- purpose: list targets in the order in which they changed last
-- params: chosen jsonb (as filter_listed has it), after bigint (the number of a change; 0 for all), number integer
-- returns: the columns of listed_target

SELECT listed.*
FROM filter_listed(%(chosen)s::jsonb) AS listed
WHERE listed.change > %(after)s::bigint
ORDER BY listed.change
LIMIT %(number)s::integer;
