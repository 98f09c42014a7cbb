-- purpose: find the targets of the spectra that have none: by OBJ_UID, else by the key at 4MOST, else by name and
--          place, else by what a person has said of the same object
-- params: match_radius double precision (arcsec, of a name), doubt_radius double precision (arcsec: what lies farther
--         from its target than this is not matched, whatever it is called)
-- returns: one row a kind of match: how text, number bigint

WITH unmatched AS MATERIALIZED (
    SELECT unmatched_spectrum.*
    FROM unmatched_spectrum
),

named AS (
    SELECT
        unmatched.spectrum_id,
        target.tides_id,
        1 AS place,
        'OBJ_UID' AS how
    FROM unmatched
    INNER JOIN tides_master AS target ON unmatched.u_obj_id = target.ostd_u_obj_id
    UNION ALL
    SELECT
        unmatched.spectrum_id,
        target.tides_id,
        2 AS place,
        'key' AS how
    FROM unmatched
    INNER JOIN tides_master AS target ON unmatched.pk_4most = target.pk_4most
    UNION ALL
    SELECT
        unmatched.spectrum_id,
        target.tides_id,
        2 AS place,
        'key' AS how
    FROM unmatched
    INNER JOIN tides_master AS target ON unmatched.targ_id = target.ostd_targ_id
    UNION ALL
    SELECT
        unmatched.spectrum_id,
        target.tides_id,
        3 AS place,
        'name' AS how
    FROM unmatched
    INNER JOIN tides_master AS target ON unmatched.object_name = target.name
),

apart AS (
    SELECT
        named.spectrum_id,
        named.tides_id,
        named.place,
        named.how,
        target.merged_into,
        great_circle_arcsec(unmatched.ra, unmatched.decl, target.ra, target.decl) AS separation_arcsec
    FROM named
    INNER JOIN unmatched ON named.spectrum_id = unmatched.spectrum_id
    INNER JOIN tides_master AS target ON named.tides_id = target.tides_id
),

found AS (
    SELECT DISTINCT ON (apart.spectrum_id)
        apart.spectrum_id,
        apart.tides_id,
        apart.how,
        apart.separation_arcsec
    FROM apart
    WHERE
        CASE
            WHEN apart.how = 'name' THEN apart.separation_arcsec <= %(match_radius)s::double precision
            ELSE coalesce(apart.separation_arcsec, 0) <= %(doubt_radius)s::double precision
        END
    ORDER BY
        apart.spectrum_id ASC, apart.place ASC, (apart.merged_into IS NOT NULL) ASC,
        apart.separation_arcsec ASC NULLS LAST, apart.tides_id ASC
),

-- A file that comes again, by newer software or with more columns, has the same objects.
ruled AS (
    SELECT DISTINCT ON (unmatched.spectrum_id)
        unmatched.spectrum_id,
        spectrum_match.tides_id,
        spectrum_match.who,
        spectrum_match.reason
    FROM unmatched
    INNER JOIN spectrum AS earlier
        ON
            coalesce(unmatched.object_name, '') = coalesce(earlier.object_name, '')
            AND coalesce(unmatched.u_obj_id, -1) = coalesce(earlier.u_obj_id, -1)
            AND great_circle_arcsec(unmatched.ra, unmatched.decl, earlier.ra, earlier.decl)
            <= %(match_radius)s::double precision
    INNER JOIN spectrum_match ON earlier.spectrum_id = spectrum_match.spectrum_id AND spectrum_match.how = 'person'
    WHERE NOT EXISTS (SELECT FROM found WHERE found.spectrum_id = unmatched.spectrum_id)
    ORDER BY unmatched.spectrum_id ASC, spectrum_match.match_id DESC
),

stored AS (
    INSERT INTO spectrum_match (spectrum_id, tides_id, how, separation_arcsec, who, reason)
    SELECT
        found.spectrum_id,
        found.tides_id,
        found.how,
        found.separation_arcsec,
        NULL AS who,
        NULL AS reason
    FROM found
    UNION ALL
    SELECT
        ruled.spectrum_id,
        ruled.tides_id,
        'person' AS how,
        NULL AS separation_arcsec,
        ruled.who,
        ruled.reason
    FROM ruled
    RETURNING how
)

SELECT
    stored.how,
    count(*) AS number
FROM stored
GROUP BY stored.how
ORDER BY stored.how;
