-- purpose: list the staged objects that no target has yet, in the order in which they are settled: as first seen
-- needs: tides_stage, new_object
-- params: question_radius double precision (arcsec)
-- returns: number bigint: how many there are

-- Within ra_width lies whatever is within the radius: all the way round near the poles.
INSERT INTO new_object (number, survey, object_id, ra, decl, ra_width)
SELECT
    row_number() OVER (
        ORDER BY tides_stage.first_detection_mjd, tides_stage.survey, tides_stage.object_id
    ) AS number,
    tides_stage.survey,
    tides_stage.object_id,
    tides_stage.ra,
    tides_stage.decl,
    CASE
        WHEN abs(tides_stage.decl) + (%(question_radius)s::double precision + 1) / 3600 < 89.9
            THEN (%(question_radius)s::double precision + 1) / 3600 / cosd(abs(tides_stage.decl) + 0.01)
        ELSE 360
    END AS ra_width
FROM tides_stage
LEFT JOIN association
    ON tides_stage.survey = association.survey AND tides_stage.object_id = association.object_id
WHERE association.tides_id IS NULL
ON CONFLICT (number) DO NOTHING;

ANALYZE new_object;

SELECT count(*) AS number
FROM new_object;
