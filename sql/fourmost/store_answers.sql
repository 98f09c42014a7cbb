-- purpose: note what 4MOST answered, and what it knows of these targets from now on
-- params: answers jsonb (list of tides_id, status, pk, payload, answer)

-- Status confirmed and adopted: 4MOST has payload under pk. Refused: payload is not sent again. Absent: it has none.
-- Unanswered: the intent stays open, and the target is looked up before it is spoken of again. Repaired: only logged.
WITH given AS (
    SELECT
        told.tides_id,
        told.status,
        told.pk,
        told.payload,
        told.answer
    FROM jsonb_to_recordset(%(answers)s::jsonb)
            AS told (tides_id bigint, status text, pk bigint, payload jsonb, answer text)
),

logged AS (
    INSERT INTO exchange_log (tides_id, operation, status, intent_id, attempt, pk_4most, payload, answer)
    SELECT
        given.tides_id,
        coalesce(intent.operation, 'reconcile') AS operation,
        given.status,
        tides_master.asked_4most,
        coalesce(intent.attempt, 1) AS attempt,
        given.pk,
        CASE WHEN given.status = 'adopted' THEN given.payload END AS payload,
        given.answer
    FROM given
    INNER JOIN tides_master ON given.tides_id = tides_master.tides_id
    LEFT JOIN exchange_log AS intent ON tides_master.asked_4most = intent.exchange_id
)

UPDATE tides_master
SET
    asked_4most = CASE WHEN given.status IN ('unanswered', 'repaired') THEN tides_master.asked_4most END,
    pk_4most
    = CASE WHEN given.status IN ('confirmed', 'adopted') THEN given.pk ELSE tides_master.pk_4most END,
    told_4most
    = CASE WHEN given.status IN ('confirmed', 'adopted') THEN given.payload ELSE tides_master.told_4most END,
    told_4most_at
    = CASE WHEN given.status IN ('confirmed', 'adopted') THEN now() ELSE tides_master.told_4most_at END,
    refused_4most
    = CASE given.status
        WHEN 'refused' THEN given.answer
        WHEN 'unanswered' THEN tides_master.refused_4most
        WHEN 'repaired' THEN tides_master.refused_4most
    END,
    refused_4most_payload
    = CASE given.status
        WHEN 'refused' THEN given.payload
        WHEN 'unanswered' THEN tides_master.refused_4most_payload
        WHEN 'repaired' THEN tides_master.refused_4most_payload
    END
FROM given
WHERE tides_master.tides_id = given.tides_id;
