-- purpose: keep what people and pipelines make of spectra: types and redshifts of targets
-- needs: tides_master, association, refuse_change
-- makes: classification; the views classification_in_force, object_class, target_class; the function class_suffices

CREATE TABLE classification (
    classification_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    survey text NOT NULL,
    object_id text NOT NULL,
    source text NOT NULL,
    who text,
    type text,
    subtype text,
    redshift double precision,
    redshift_error double precision,
    confidence double precision CHECK (confidence BETWEEN 0 AND 1),
    spectrum text,
    version text,
    classified_at timestamptz,
    came_from text NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (type IS NOT NULL OR redshift IS NOT NULL)
);

COMMENT ON TABLE classification IS 'what was made of spectra: only added to, the newest of each source counts';
COMMENT ON COLUMN classification.object_id IS 'it lies on an object, and goes with it to the target that has it';
COMMENT ON COLUMN classification.source IS 'human, or the software: global (that of all), snid, superfit, dash, ...';
COMMENT ON COLUMN classification.who IS 'the person; NULL for software';
COMMENT ON COLUMN classification.spectrum IS 'which one, as the source calls it';
COMMENT ON COLUMN classification.came_from IS 'the file or table';

CREATE INDEX classification_object ON classification (object_id, survey, classification_id);

CREATE TRIGGER classification_is_kept BEFORE UPDATE OR DELETE ON classification
FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE VIEW classification_in_force AS
SELECT DISTINCT ON (
    classification.survey, classification.object_id, classification.source, classification.who,
    classification.spectrum, classification.version, classification.classified_at
)
    classification.*,
    CASE
        WHEN classification.source = 'human' THEN coalesce(classification.classified_at, classification.stored_at)
        ELSE classification.classified_at
    END AS said_at
FROM classification
ORDER BY
    classification.survey, classification.object_id, classification.source, classification.who,
    classification.spectrum, classification.version, classification.classified_at,
    classification.classification_id DESC;

COMMENT ON VIEW classification_in_force IS
'what each source said last of a spectrum, or at a time; what a person says without a date is of when it came';

-- The newest of people counts; without one what the pipeline makes of all, then the newest of the surest.
CREATE VIEW object_class AS
WITH placed AS (
    SELECT
        said.*,
        said.source = 'human' AS is_human,
        row_number() OVER (
            PARTITION BY said.survey, said.object_id
            ORDER BY
                (said.source = 'human') DESC,
                CASE WHEN said.source = 'human' THEN said.said_at END DESC NULLS LAST,
                (said.source = 'global') DESC,
                said.said_at DESC NULLS LAST,
                said.confidence DESC NULLS LAST,
                said.classification_id DESC
        ) AS place
    FROM classification_in_force AS said
)

SELECT
    placed.survey,
    placed.object_id,
    (array_agg(placed.type ORDER BY placed.place) FILTER (WHERE placed.type IS NOT NULL))[1] AS type,
    (array_agg(placed.subtype ORDER BY placed.place) FILTER (WHERE placed.type IS NOT NULL))[1] AS subtype,
    (
        array_agg(
            coalesce(placed.confidence, CASE WHEN placed.is_human THEN 1 END) ORDER BY placed.place
        ) FILTER (WHERE placed.type IS NOT NULL)
    )[1] AS confidence,
    (array_agg(placed.redshift ORDER BY placed.place) FILTER (WHERE placed.redshift IS NOT NULL))[1] AS redshift,
    (
        array_agg(placed.redshift_error ORDER BY placed.place) FILTER (WHERE placed.redshift IS NOT NULL)
    )[1] AS redshift_error,
    (array_agg(concat_ws(' ', placed.source, placed.who) ORDER BY placed.place))[1] AS by,
    bool_or(placed.is_human) AS is_human,
    (array_agg(placed.said_at ORDER BY placed.place))[1] AS said_at
FROM placed
GROUP BY placed.survey, placed.object_id;

COMMENT ON VIEW object_class IS
'what an object is: type with its confidence, which is 1 where a person gave none, and redshift';

CREATE VIEW target_class AS
SELECT DISTINCT ON (association.tides_id)
    association.tides_id,
    coalesce(home.tides_id, association.tides_id) AS own_tides_id,
    object_class.*
FROM object_class
INNER JOIN association
    ON object_class.survey = association.survey AND object_class.object_id = association.object_id
LEFT JOIN tides_master AS home
    ON object_class.survey = home.survey AND object_class.object_id = home.object_id
ORDER BY
    association.tides_id ASC, object_class.is_human DESC, object_class.said_at DESC NULLS LAST,
    object_class.confidence DESC NULLS LAST, object_class.survey ASC, object_class.object_id ASC;

COMMENT ON VIEW target_class IS 'of the objects of a target the class that counts; own_tides_id: whose object it was';

-- Whether a class is sure enough to need no further spectrum; nothing is where no confidence is demanded.
CREATE FUNCTION class_suffices(type text, confidence double precision, least_confidence double precision)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(confidence >= least_confidence AND type NOT LIKE '%%?', FALSE)
$$;
