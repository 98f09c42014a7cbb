-- purpose: let the newest word of a person on a spectrum count, also where it has no date
-- needs: classification_in_force
-- makes: the view object_class anew

-- As in schema 027, but what a person says without a date is of the time at which it came.
CREATE OR REPLACE VIEW object_class AS
WITH placed AS (
    SELECT
        said.*,
        said.source = 'human' AS is_human,
        row_number() OVER (
            PARTITION BY said.survey, said.object_id
            ORDER BY
                (said.source = 'human') DESC,
                CASE WHEN said.source = 'human' THEN coalesce(said.classified_at, said.stored_at) END DESC NULLS LAST,
                (said.source = 'global') DESC,
                said.classified_at DESC NULLS LAST,
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
    (array_agg(placed.classified_at ORDER BY placed.place))[1] AS classified_at
FROM placed
GROUP BY placed.survey, placed.object_id;
