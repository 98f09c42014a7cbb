-- purpose: say once which targets have a doubtful position
-- needs: association, ruling_in_force
-- makes: the function doubtful_positions

-- Scatter [arcsec] is that of detections about their position; whatever a person said of a target since, and is in
-- force at a time, is the answer.
CREATE FUNCTION doubtful_positions(scatter double precision, at timestamptz) RETURNS TABLE (
    name text, question text
) LANGUAGE sql STABLE AS $$
WITH doubtful AS (
    SELECT
        association.tides_id,
        'detections of ' || association.survey || ' ' || association.object_id || ' lie up to '
        || round(association.scatter_arcsec::numeric, 2)::text || ' arcsec from its position: is it one?' AS question
    FROM association
    WHERE association.scatter_arcsec > scatter
    UNION ALL
    SELECT
        association.tides_id,
        association.survey || ' ' || association.object_id
        || ' has to the digit the position of another object: is it real?' AS question
    FROM association
    WHERE
        association.how = 'position'
        AND association.separation_arcsec < 0.001
        AND EXISTS (
            SELECT
            FROM association AS other
            WHERE
                other.tides_id = association.tides_id
                AND other.survey = association.survey
                AND other.object_id <> association.object_id
        )
)

SELECT
    tides_master.name,
    min(doubtful.question) AS question
FROM doubtful
INNER JOIN tides_master ON doubtful.tides_id = tides_master.tides_id
WHERE
    NOT EXISTS (
        SELECT FROM ruling_in_force AS lying
        WHERE lying.tides_id = tides_master.tides_id AND (lying.until IS NULL OR lying.until > at)
    )
GROUP BY tides_master.name
$$;
