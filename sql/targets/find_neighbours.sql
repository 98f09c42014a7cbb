-- purpose: find what lies near the new objects of a batch: objects of targets, and new objects that come before
-- needs: new_object, neighbour
-- params: question_radius double precision (arcsec)

-- The strips of declination around, each 3.6 arcsec high, then the width in right ascension, then the great circle.
-- Strips are compared for equality, so that the server can do so by an index or by hashing, whatever the numbers.
INSERT INTO neighbour (number, tides_id, earlier, separation_arcsec)
SELECT
    near.number,
    near.tides_id,
    near.earlier,
    near.separation_arcsec
FROM (
    SELECT
        new_object.number,
        association.tides_id,
        NULL::integer AS earlier,
        great_circle_arcsec(
            new_object.ra, new_object.decl, association.match_ra, association.match_decl
        ) AS separation_arcsec
    FROM new_object
    CROSS JOIN
        generate_series(
            -ceil(%(question_radius)s::double precision / 3.6)::integer,
            ceil(%(question_radius)s::double precision / 3.6)::integer
        ) AS strip (step)
    INNER JOIN association
        ON
            association.match_zone = new_object.zone + strip.step
            AND (
                abs(association.match_ra - new_object.ra) <= new_object.ra_width
                OR abs(association.match_ra - new_object.ra) >= 360 - new_object.ra_width
            )
    UNION ALL
    SELECT
        new_object.number,
        NULL::bigint AS tides_id,
        earlier.number AS earlier,
        great_circle_arcsec(new_object.ra, new_object.decl, earlier.ra, earlier.decl) AS separation_arcsec
    FROM new_object
    CROSS JOIN
        generate_series(
            -ceil(%(question_radius)s::double precision / 3.6)::integer,
            ceil(%(question_radius)s::double precision / 3.6)::integer
        ) AS strip (step)
    INNER JOIN new_object AS earlier
        ON
            earlier.zone = new_object.zone + strip.step
            AND (
                abs(earlier.ra - new_object.ra) <= new_object.ra_width
                OR abs(earlier.ra - new_object.ra) >= 360 - new_object.ra_width
            )
            AND earlier.number < new_object.number
) AS near
WHERE near.separation_arcsec <= %(question_radius)s::double precision;

ANALYZE neighbour;
