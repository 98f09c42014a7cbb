-- purpose: list what was made of the spectra of some targets, the newest of people first
-- needs: classification_in_force
-- params: tides_ids bigint[]
-- returns: one row a classification in force: tides_id bigint, and the columns of the view

SELECT
    association.tides_id,
    said.*
FROM association
INNER JOIN classification_in_force AS said
    ON association.survey = said.survey AND association.object_id = said.object_id
WHERE association.tides_id = ANY(%(tides_ids)s::bigint[])
ORDER BY
    association.tides_id ASC, (said.source = 'human') DESC, said.said_at DESC NULLS LAST,
    (said.source = 'global') DESC, said.confidence DESC NULLS LAST, said.classification_id DESC;
