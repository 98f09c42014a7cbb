-- purpose: recall what was said of some objects before, and the type of each in the list of the TNS
-- needs: annotation, tns_object, great_circle_arcsec
-- params: surveys text[], object_ids text[], ras double precision[], decls double precision[] (of one length: the
--         objects, and where their alerts have them, NULL where they do not), names text[]
-- units: angles in degrees (ICRS)
-- returns: survey text, object_id text, name text, number double precision, word text, is_listed boolean (by the TNS
--          itself): the newest of each name, whatever the broker

WITH asked AS (
    SELECT DISTINCT ON (given.survey, given.object_id)
        given.survey,
        given.object_id,
        given.ra,
        given.decl
    FROM unnest(
            %(surveys)s::text[], %(object_ids)s::text[], %(ras)s::double precision[], %(decls)s::double precision[]
        ) AS given (survey, object_id, ra, decl)
    ORDER BY given.survey ASC, given.object_id ASC, given.ra ASC
),

said AS (
    SELECT DISTINCT ON (annotation.survey, annotation.object_id, annotation.name)
        annotation.survey,
        annotation.object_id,
        annotation.name,
        annotation.number,
        annotation.word
    FROM asked
    INNER JOIN annotation ON asked.object_id = annotation.object_id AND asked.survey = annotation.survey
    WHERE annotation.name = any(%(names)s::text[])
    ORDER BY
        annotation.survey ASC, annotation.object_id ASC, annotation.name ASC, annotation.mjd DESC,
        annotation.annotation_id DESC
),

listed AS (
    SELECT DISTINCT ON (asked.survey, asked.object_id)
        asked.survey,
        asked.object_id,
        found.object_type
    FROM asked
    CROSS JOIN
        LATERAL (
            SELECT
                named.object_type,
                named.tns_object_id,
                -1 AS separation_arcsec
            FROM tns_object AS named
            WHERE named.internal_names @> ARRAY[asked.object_id]
            UNION ALL
            SELECT
                near.object_type,
                near.tns_object_id,
                great_circle_arcsec(asked.ra, asked.decl, near.ra, near.decl) AS separation_arcsec
            FROM tns_object AS near
            WHERE
                near.decl BETWEEN asked.decl - 2 / 3600.0 AND asked.decl + 2 / 3600.0
                AND great_circle_arcsec(asked.ra, asked.decl, near.ra, near.decl) <= 2
        ) AS found
    WHERE 'tns.type' = any(%(names)s::text[])
    ORDER BY asked.survey ASC, asked.object_id ASC, found.separation_arcsec ASC, found.tns_object_id ASC
)

SELECT
    said.survey,
    said.object_id,
    said.name,
    said.number,
    said.word,
    FALSE AS is_listed
FROM said
UNION ALL
SELECT
    listed.survey,
    listed.object_id,
    'tns.type' AS name,
    NULL AS number,
    listed.object_type AS word,
    TRUE AS is_listed
FROM listed
WHERE listed.object_type IS NOT NULL;
