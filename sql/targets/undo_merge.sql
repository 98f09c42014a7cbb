-- purpose: give a target that was merged back the objects that it brought, as far as nobody took them elsewhere since
-- needs: association locked
-- params: tides_id bigint, kept_id bigint (the target that has them), reason text, who text
-- returns: objects bigint: how many

UPDATE tides_master
SET merged_into = NULL
WHERE tides_master.tides_id = %(tides_id)s::bigint;

WITH back AS (
    SELECT DISTINCT
        association.survey,
        association.object_id
    FROM association_log
    INNER JOIN association
        ON association_log.survey = association.survey AND association_log.object_id = association.object_id
    WHERE
        association_log.action = 'merge'
        AND association_log.from_tides_id = %(tides_id)s::bigint
        AND association.tides_id = %(kept_id)s::bigint
        AND association_log.log_id > (
            SELECT coalesce(max(earlier.log_id), 0)
            FROM association_log AS earlier
            WHERE earlier.action = 'split' AND earlier.to_tides_id = %(tides_id)s::bigint
        )
),

near AS (
    SELECT
        back.survey,
        back.object_id,
        coalesce(
            min(great_circle_arcsec(mine.match_ra, mine.match_decl, kept.match_ra, kept.match_decl)), 0
        ) AS separation_arcsec
    FROM back
    INNER JOIN association AS mine ON back.survey = mine.survey AND back.object_id = mine.object_id
    LEFT JOIN association AS kept
        ON
            kept.tides_id = %(kept_id)s::bigint
            AND NOT EXISTS (
                SELECT
                FROM back AS other
                WHERE other.survey = kept.survey AND other.object_id = kept.object_id
            )
    GROUP BY back.survey, back.object_id
),

logged AS (
    INSERT INTO association_log (action, survey, object_id, from_tides_id, to_tides_id, reason, who)
    SELECT
        'split' AS action,
        near.survey,
        near.object_id,
        %(kept_id)s::bigint AS from_tides_id,
        %(tides_id)s::bigint AS to_tides_id,
        %(reason)s::text AS reason,
        %(who)s::text AS who
    FROM near
    ORDER BY near.survey, near.object_id
),

moved AS (
    UPDATE association
    SET
        tides_id = %(tides_id)s::bigint,
        separation_arcsec = near.separation_arcsec,
        how = 'split',
        associated_at = now()
    FROM near
    WHERE association.survey = near.survey AND association.object_id = near.object_id
    RETURNING association.object_id
)

SELECT count(*) AS objects
FROM moved;
