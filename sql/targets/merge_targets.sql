-- purpose: let all objects of one target be another one's; the first is switched off, and its row stays
-- needs: association locked
-- params: tides_id bigint, kept_id bigint (the target that gets them), reason text, who text
-- returns: objects bigint: how many

UPDATE tides_master
SET
    merged_into = %(kept_id)s::bigint,
    active = FALSE,
    inactive_reason = 'merged'
WHERE tides_master.tides_id = %(tides_id)s::bigint;

UPDATE tides_master
SET
    has_spectrum = TRUE,
    lent_spectrum = TRUE
FROM tides_master AS other
WHERE
    tides_master.tides_id = %(kept_id)s::bigint
    AND other.tides_id = %(tides_id)s::bigint
    AND other.has_spectrum
    AND NOT tides_master.has_spectrum;

WITH near AS (
    SELECT
        mine.survey,
        mine.object_id,
        min(great_circle_arcsec(mine.match_ra, mine.match_decl, kept.match_ra, kept.match_decl)) AS separation_arcsec
    FROM association AS mine
    CROSS JOIN association AS kept
    WHERE mine.tides_id = %(tides_id)s::bigint AND kept.tides_id = %(kept_id)s::bigint
    GROUP BY mine.survey, mine.object_id
),

logged AS (
    INSERT INTO association_log (action, survey, object_id, from_tides_id, to_tides_id, reason, who)
    SELECT
        'merge' AS action,
        near.survey,
        near.object_id,
        %(tides_id)s::bigint AS from_tides_id,
        %(kept_id)s::bigint AS to_tides_id,
        %(reason)s::text AS reason,
        %(who)s::text AS who
    FROM near
    ORDER BY near.survey, near.object_id
),

moved AS (
    UPDATE association
    SET
        tides_id = %(kept_id)s::bigint,
        separation_arcsec = near.separation_arcsec,
        how = 'merge',
        associated_at = now()
    FROM near
    WHERE association.survey = near.survey AND association.object_id = near.object_id
    RETURNING association.object_id
)

SELECT count(*) AS objects
FROM moved;
