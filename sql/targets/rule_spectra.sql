-- purpose: store which target spectra are of, as a person says: one, or all of a file that have no target
-- params: spectrum text (the name of a file, or the number of a spectrum), tides_id bigint (NULL: none of ours), who
--         text, reason text
-- returns: one row a spectrum: spectrum_id bigint, before bigint (the target that it was taken to be of)

WITH meant AS (
    SELECT
        spectrum.spectrum_id,
        (
            SELECT earlier.tides_id
            FROM spectrum_match AS earlier
            WHERE earlier.spectrum_id = spectrum.spectrum_id
            ORDER BY earlier.match_id DESC
            LIMIT 1
        ) AS before
    FROM delivery_in_force
    INNER JOIN spectrum ON delivery_in_force.delivery_id = spectrum.delivery_id
    WHERE
        spectrum.spectrum_id::text = %(spectrum)s::text
        OR (
            regexp_replace(delivery_in_force.path, '.*/', '') = %(spectrum)s::text
            AND spectrum.spectrum_id IN (SELECT strange.spectrum_id FROM unmatched_spectrum AS strange)
        )
),

stored AS (
    INSERT INTO spectrum_match (spectrum_id, tides_id, how, who, reason)
    SELECT
        meant.spectrum_id,
        %(tides_id)s::bigint,
        'person' AS how,
        %(who)s::text,
        %(reason)s::text
    FROM meant
    RETURNING spectrum_id
)

SELECT
    meant.spectrum_id,
    meant.before
FROM meant
INNER JOIN stored ON meant.spectrum_id = stored.spectrum_id
ORDER BY meant.spectrum_id;
