-- purpose: answer what people ask of 300,000 targets, 100,000 rulings and a million annotations at once
-- needs: association, doubtful_positions, ruling_in_force
-- makes: the function targets_called; doubtful_positions anew; indexes

CREATE INDEX association_scattered ON association (tides_id) WHERE scatter_arcsec > 1;
CREATE INDEX association_same_place ON association (tides_id) WHERE how = 'position' AND separation_arcsec < 0.001;
CREATE INDEX association_object_begins ON association (object_id text_pattern_ops);
CREATE INDEX tides_master_name_begins ON tides_master (name text_pattern_ops);
CREATE INDEX tides_master_class ON tides_master (sherlock_class);
CREATE INDEX tides_master_function ON tides_master (selection_function);

-- The targets that are called so, or have or first had an object of this name. To be had as an array of keys: an OR of
-- three ways to them reads the whole table.
CREATE FUNCTION targets_called(called text, of_survey text) RETURNS SETOF bigint LANGUAGE sql STABLE AS $$
    SELECT tides_master.tides_id
    FROM tides_master
    WHERE tides_master.name = called
    UNION ALL
    SELECT association.tides_id
    FROM association
    WHERE association.object_id = called AND (of_survey IS NULL OR association.survey = of_survey)
    UNION ALL
    SELECT tides_master.tides_id
    FROM tides_master
    WHERE tides_master.object_id = called AND (of_survey IS NULL OR tides_master.survey = of_survey)
$$;

-- As before, but rulings are looked for only on the few that are doubtful: all of them were read.
CREATE OR REPLACE FUNCTION doubtful_positions(scatter double precision, at timestamptz) RETURNS TABLE (
    name text, question text
) LANGUAGE sql STABLE AS $$
WITH doubtful AS (
    SELECT
        association.tides_id,
        'detections of ' || association.survey || ' ' || association.object_id || ' lie up to '
        || round(association.scatter_arcsec::numeric, 2)::text || ' arcsec from its position: is it one?' AS question
    FROM association
    WHERE association.scatter_arcsec > 1 AND association.scatter_arcsec > scatter
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
CROSS JOIN LATERAL (
    SELECT count(*) AS number
    FROM ruling_in_force AS lying
    WHERE lying.tides_id = doubtful.tides_id AND (lying.until IS NULL OR lying.until > at)
) AS ruled
WHERE ruled.number = 0
GROUP BY tides_master.name
$$;
