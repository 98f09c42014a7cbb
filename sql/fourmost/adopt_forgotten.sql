-- purpose: give rows of 4MOST that this database forgot back to the targets at the same place, which take the row's
--          name where they have another
-- params: rows jsonb (list of name, pk, ra, dec, is_active), radius double precision (arcsec)
-- returns: one row a target: name text, pk bigint, formerly text (what the target was called)

WITH forgotten AS (
    SELECT
        told.name,
        told.pk,
        told.ra,
        told.dec,
        told.is_active
    FROM jsonb_to_recordset(%(rows)s::jsonb)
            AS told (name text, pk bigint, ra double precision, dec double precision, is_active boolean)
    WHERE NOT EXISTS (SELECT FROM tides_master AS owner WHERE owner.pk_4most = told.pk)
),

candidate AS (
    SELECT
        tides_master.tides_id,
        tides_master.name,
        tides_master.ra,
        tides_master.decl
    FROM tides_master
    WHERE tides_master.pk_4most IS NULL AND tides_master.merged_into IS NULL
),

-- A row whose name another target has is that target's, if it lies there, and else a stranger.
match AS (
    SELECT
        forgotten.name,
        forgotten.pk,
        forgotten.is_active,
        candidate.tides_id,
        candidate.name AS formerly,
        CASE
            WHEN forgotten.name = candidate.name THEN 0
            ELSE great_circle_arcsec(forgotten.ra, forgotten.dec, candidate.ra, candidate.decl)
        END AS separation_arcsec
    FROM forgotten
    CROSS JOIN candidate
    WHERE
        great_circle_arcsec(forgotten.ra, forgotten.dec, candidate.ra, candidate.decl)
        <= %(radius)s::double precision
        AND NOT EXISTS (
            SELECT FROM tides_master AS namesake
            WHERE namesake.name = forgotten.name AND namesake.tides_id <> candidate.tides_id
        )
),

-- Names are unique here, if not at 4MOST: of each one row, the oldest.
best_of_name AS (
    SELECT DISTINCT ON (match.name)
        match.name,
        match.pk,
        match.is_active,
        match.tides_id,
        match.formerly,
        match.separation_arcsec
    FROM match
    ORDER BY match.name ASC, match.separation_arcsec ASC, match.pk ASC, match.tides_id ASC
),

adopted AS (
    SELECT DISTINCT ON (best_of_name.tides_id)
        best_of_name.tides_id,
        best_of_name.name,
        best_of_name.pk,
        best_of_name.formerly,
        jsonb_build_object('is_active', best_of_name.is_active) AS told
    FROM best_of_name
    ORDER BY best_of_name.tides_id ASC, best_of_name.separation_arcsec ASC, best_of_name.pk ASC
),

logged AS (
    INSERT INTO exchange_log (tides_id, operation, status, pk_4most, payload, answer)
    SELECT
        adopted.tides_id,
        'reconcile' AS operation,
        'repaired' AS status,
        adopted.pk,
        adopted.told,
        'its row from before the database was restored; called ' || adopted.formerly || ' since' AS answer
    FROM adopted
)

UPDATE tides_master
SET
    name = adopted.name,
    pk_4most = adopted.pk,
    told_4most = adopted.told,
    told_4most_at = now(),
    asked_4most = NULL
FROM adopted
WHERE tides_master.tides_id = adopted.tides_id
RETURNING tides_master.name, adopted.pk, adopted.formerly;
