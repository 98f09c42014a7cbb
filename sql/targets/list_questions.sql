-- purpose: list the open questions whether two targets are one, the nearest first
-- params: tides_ids bigint[] (NULL for all)
-- returns: one row a question

SELECT
    association_question.question_id,
    association_question.survey,
    association_question.object_id,
    mine.name,
    other.name AS other_name,
    association_question.separation_arcsec,
    association_question.asked_at
FROM association_question
INNER JOIN association
    ON
        association_question.survey = association.survey
        AND association_question.object_id = association.object_id
INNER JOIN tides_master AS mine ON association.tides_id = mine.tides_id
INNER JOIN tides_master AS other ON kept_target(association_question.tides_id) = other.tides_id
WHERE
    association_question.answer IS NULL
    AND (
        %(tides_ids)s::bigint[] IS NULL
        OR mine.tides_id = ANY(%(tides_ids)s::bigint[])
        OR other.tides_id = ANY(%(tides_ids)s::bigint[])
    )
ORDER BY association_question.separation_arcsec, association_question.question_id;
