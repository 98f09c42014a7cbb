-- purpose: note that the two of an open question are two
-- params: question_id bigint, reason text, who text
-- returns: one row if it was open: survey text, object_id text, name text, other_name text: of the two targets

WITH answered AS (
    UPDATE association_question
    SET
        answer = 'apart',
        answered_at = now()
    WHERE
        association_question.question_id = %(question_id)s::bigint
        AND association_question.answer IS NULL
    RETURNING association_question.survey, association_question.object_id, association_question.tides_id
),

logged AS (
    INSERT INTO association_log (action, survey, object_id, from_tides_id, to_tides_id, reason, who)
    SELECT
        'apart' AS action,
        answered.survey,
        answered.object_id,
        association.tides_id AS from_tides_id,
        kept_target(answered.tides_id) AS to_tides_id,
        %(reason)s::text AS reason,
        %(who)s::text AS who
    FROM answered
    INNER JOIN association ON answered.survey = association.survey AND answered.object_id = association.object_id
    RETURNING association_log.from_tides_id, association_log.to_tides_id
)

SELECT
    answered.survey,
    answered.object_id,
    mine.name,
    other.name AS other_name
FROM answered
CROSS JOIN logged
INNER JOIN tides_master AS mine ON logged.from_tides_id = mine.tides_id
INNER JOIN tides_master AS other ON logged.to_tides_id = other.tides_id;
