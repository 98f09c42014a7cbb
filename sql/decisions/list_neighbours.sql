-- purpose: list the staged objects and those at their places, those at the places of these, and so on
-- needs: light_curve_stage, after store_light_curves
-- params: radius_arcsec double precision (arcsec)
-- returns: survey text, object_id text, ra double precision (deg), decl double precision (deg),
--          tides_id bigint (NULL for one that belongs to no target), first_mjd double precision (MJD),
--          newest_mjd double precision (MJD); both NULL for one without a stored light curve
-- At the place of an object is what lies within the radius, and what belongs to the same target, wherever it lies. The
-- place of an object that belongs to a target is where others are matched to it.

WITH RECURSIVE near AS (
    SELECT
        light_curve_stage.survey,
        light_curve_stage.object_id,
        coalesce(association.match_ra, light_curve.ra) AS ra,
        coalesce(association.match_decl, light_curve.decl) AS decl,
        association.tides_id
    FROM light_curve_stage
    INNER JOIN light_curve
        ON light_curve_stage.survey = light_curve.survey AND light_curve_stage.object_id = light_curve.object_id
    LEFT JOIN association
        ON light_curve_stage.survey = association.survey AND light_curve_stage.object_id = association.object_id
    UNION
    SELECT
        other.survey,
        other.object_id,
        other.ra,
        other.decl,
        other.tides_id
    FROM near
    CROSS JOIN LATERAL (
        SELECT
            light_curve.survey,
            light_curve.object_id,
            light_curve.ra,
            light_curve.decl,
            NULL::bigint AS tides_id
        FROM light_curve
        LEFT JOIN association
            ON light_curve.survey = association.survey AND light_curve.object_id = association.object_id
        WHERE
            light_curve.decl BETWEEN near.decl - %(radius_arcsec)s::double precision / 3600
            AND near.decl + %(radius_arcsec)s::double precision / 3600
            AND great_circle_arcsec(near.ra, near.decl, light_curve.ra, light_curve.decl)
            <= %(radius_arcsec)s::double precision
            AND association.tides_id IS NULL
        UNION ALL
        SELECT
            association.survey,
            association.object_id,
            association.match_ra,
            association.match_decl,
            association.tides_id
        FROM association
        WHERE
            association.match_decl BETWEEN near.decl - %(radius_arcsec)s::double precision / 3600
            AND near.decl + %(radius_arcsec)s::double precision / 3600
            AND great_circle_arcsec(near.ra, near.decl, association.match_ra, association.match_decl)
            <= %(radius_arcsec)s::double precision
        UNION ALL
        SELECT
            association.survey,
            association.object_id,
            association.match_ra,
            association.match_decl,
            association.tides_id
        FROM association
        WHERE association.tides_id = near.tides_id
    ) AS other
)

SELECT
    near.survey,
    near.object_id,
    near.ra,
    near.decl,
    near.tides_id,
    light_curve.first_mjd,
    light_curve.newest_mjd
FROM near
LEFT JOIN light_curve ON near.survey = light_curve.survey AND near.object_id = light_curve.object_id
ORDER BY near.survey, near.object_id;
