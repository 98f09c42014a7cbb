-- purpose: list what brokers say of the hosts of objects of which they said something since the last look
-- needs: annotation, association, host_look
-- returns: one row an object: survey text, object_id text, ra and decl double precision (deg), notes jsonb (the newest
--          by name), annotation_id bigint (the newest of all that was looked at)

WITH changed AS (
    SELECT
        annotation.survey,
        annotation.object_id,
        max(annotation.annotation_id) AS annotation_id
    FROM annotation
    WHERE
        annotation.name IN ('sherlock.host', 'elasticc.host_ra', 'elasticc.host2_ra', 'mangrove.name')
        AND annotation.annotation_id > coalesce((SELECT host_look.annotation_id FROM host_look), 0)
    GROUP BY annotation.survey, annotation.object_id
),

newest AS (
    SELECT DISTINCT ON (annotation.survey, annotation.object_id, annotation.name)
        annotation.survey,
        annotation.object_id,
        annotation.name,
        coalesce(to_jsonb(annotation.number), to_jsonb(annotation.word)) AS value
    FROM changed
    INNER JOIN annotation
        ON changed.object_id = annotation.object_id AND changed.survey = annotation.survey
    WHERE annotation.name ~ '^(sherlock\.|elasticc\.|mangrove\.)'
    ORDER BY
        annotation.survey ASC, annotation.object_id ASC, annotation.name ASC, annotation.mjd DESC,
        annotation.annotation_id DESC
)

SELECT
    changed.survey,
    changed.object_id,
    association.ra,
    association.decl,
    jsonb_object_agg(newest.name, newest.value) AS notes,
    max(changed.annotation_id) AS annotation_id
FROM changed
INNER JOIN newest ON changed.survey = newest.survey AND changed.object_id = newest.object_id
INNER JOIN association
    ON changed.object_id = association.object_id AND changed.survey = association.survey
GROUP BY changed.survey, changed.object_id, association.ra, association.decl
ORDER BY changed.survey, changed.object_id;
