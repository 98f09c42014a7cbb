-- purpose: list where the objects of targets lie, so that hosts can be looked for
-- returns: one row an object: survey text, object_id text, ra double precision, decl double precision (deg)

SELECT
    association.survey,
    association.object_id,
    association.ra,
    association.decl
FROM association
WHERE association.ra IS NOT NULL
ORDER BY association.survey, association.object_id;
