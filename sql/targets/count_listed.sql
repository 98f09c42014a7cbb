-- purpose: count the targets of the list by state
-- returns: one row a state, the most first: state text, targets bigint, refused bigint (those that 4MOST cannot be told
--          of), with_spectrum bigint, at_4most bigint

SELECT
    listed.state,
    count(*) AS targets,
    count(listed.refused_4most) AS refused,
    count(*) FILTER (WHERE listed.has_spectrum) AS with_spectrum,
    count(listed.pk_4most) AS at_4most
FROM listed_target AS listed
GROUP BY listed.state
ORDER BY count(*) DESC, listed.state;
