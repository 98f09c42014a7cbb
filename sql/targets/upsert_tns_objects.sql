-- purpose: put the rows of a list into tns_object: of an object that is there the newer one stays
-- needs: tns_stage, tns_object
-- returns: inserted and updated, numbers of objects

WITH newest AS (
    SELECT DISTINCT ON (tns_stage.tns_object_id) tns_stage.*
    FROM tns_stage
    ORDER BY tns_stage.tns_object_id ASC, tns_stage.modified_at DESC NULLS LAST, tns_stage.row_number DESC
),

stored AS (
    INSERT INTO tns_object AS kept (
        tns_object_id, name, ra, decl, object_type, redshift, internal_names, modified_at
    )
    SELECT
        newest.tns_object_id,
        newest.name,
        newest.ra,
        newest.decl,
        newest.object_type,
        newest.redshift,
        newest.internal_names,
        newest.modified_at
    FROM newest
    ON CONFLICT (tns_object_id) DO UPDATE
        SET
            name = excluded.name,
            ra = excluded.ra,
            decl = excluded.decl,
            object_type = excluded.object_type,
            redshift = excluded.redshift,
            internal_names = excluded.internal_names,
            modified_at = excluded.modified_at
        WHERE
            (kept.modified_at IS NULL OR excluded.modified_at >= kept.modified_at)
            AND (
                kept.name, kept.ra, kept.decl, kept.object_type, kept.redshift, kept.internal_names, kept.modified_at
            ) IS DISTINCT FROM (
                excluded.name, excluded.ra, excluded.decl, excluded.object_type, excluded.redshift,
                excluded.internal_names, excluded.modified_at
            )
    RETURNING (kept.xmax = 0) AS is_new
)

SELECT
    count(*) FILTER (WHERE stored.is_new) AS inserted,
    count(*) FILTER (WHERE NOT stored.is_new) AS updated
FROM stored;
