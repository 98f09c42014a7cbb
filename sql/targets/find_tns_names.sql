-- purpose: find the targets that objects of the Transient Name Server are
-- params: names text[] (without their prefixes, as 2026abc)
-- returns: one row a name that leads to one: bare text, name text (of the target)

WITH listed AS (
    SELECT
        split_part(tns_object.name, ' ', 2) AS bare,
        tns_object.name,
        tns_object.ra,
        tns_object.decl,
        tns_object.internal_names
    FROM tns_object
    WHERE split_part(tns_object.name, ' ', 2) = ANY(%(names)s::text[])
),

candidate AS (
    SELECT
        listed.bare,
        listed.name,
        association.tides_id
    FROM listed
    CROSS JOIN LATERAL unnest(listed.internal_names) AS internal (name)
    INNER JOIN association ON internal.name = association.object_id
    UNION
    SELECT
        listed.bare,
        listed.name,
        association.tides_id
    FROM listed
    CROSS JOIN (VALUES (-1), (0), (1)) AS strip (step)
    INNER JOIN association ON declination_zone(listed.decl) + strip.step = association.match_zone
    WHERE great_circle_arcsec(association.match_ra, association.match_decl, listed.ra, listed.decl) <= 10
),

whole AS (
    SELECT candidate.tides_id
    FROM candidate
)

SELECT DISTINCT ON (candidate.bare)
    candidate.bare,
    tides_master.name
FROM candidate
INNER JOIN tns_match
    ON
        candidate.tides_id = tns_match.tides_id
        AND candidate.name = tns_match.tns_name
        AND tns_match.tides_id = any(array(SELECT whole.tides_id FROM whole))
INNER JOIN tides_master ON candidate.tides_id = tides_master.tides_id
ORDER BY candidate.bare, candidate.tides_id;
