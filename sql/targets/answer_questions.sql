-- purpose: note the answer to the questions whether two targets are one
-- params: tides_id bigint, other_id bigint, answer text (merged or apart)

UPDATE association_question
SET
    answer = %(answer)s::text,
    answered_at = now()
FROM association
WHERE
    association_question.survey = association.survey
    AND association_question.object_id = association.object_id
    AND association_question.answer IS DISTINCT FROM %(answer)s::text
    AND association.tides_id IN (%(tides_id)s::bigint, %(other_id)s::bigint)
    AND kept_target(association_question.tides_id) IN (%(tides_id)s::bigint, %(other_id)s::bigint)
    AND association.tides_id <> kept_target(association_question.tides_id);
