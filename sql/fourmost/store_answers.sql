-- purpose: note what 4MOST answered, and what it knows of these targets from now on
-- params: answers jsonb (list of tides_id, status, pk, payload, asked, answer), first_wait interval,
--         longest_wait interval

-- Status confirmed and adopted: 4MOST has payload under pk. Otherwise: it has payload there, though it was asked for
-- asked. Refused: payload is sent again after a wait, twice as long each time. Absent: it has none. Unanswered: the
-- intent stays open, and the target is looked up before it is spoken of again. Repaired: only logged.
WITH given AS (
    SELECT
        told.tides_id,
        told.status,
        told.pk,
        told.payload,
        told.asked,
        told.answer,
        told.status IN ('confirmed', 'adopted', 'otherwise') AS is_there,
        told.status IN ('unanswered', 'repaired') AS says_nothing
    FROM jsonb_to_recordset(%(answers)s::jsonb)
            AS told (tides_id bigint, status text, pk bigint, payload jsonb, asked jsonb, answer text)
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
        CASE WHEN given.status IN ('adopted', 'otherwise') THEN given.payload END AS payload,
        given.answer
    FROM given
    INNER JOIN tides_master ON given.tides_id = tides_master.tides_id
    LEFT JOIN exchange_log AS intent ON tides_master.asked_4most = intent.exchange_id
)

UPDATE tides_master
SET
    asked_4most = CASE WHEN given.says_nothing THEN tides_master.asked_4most END,
    pk_4most = CASE WHEN given.is_there THEN given.pk ELSE tides_master.pk_4most END,
    told_4most = CASE WHEN given.is_there THEN given.payload ELSE tides_master.told_4most END,
    told_4most_at = CASE WHEN given.is_there THEN now() ELSE tides_master.told_4most_at END,
    otherwise_4most
    = CASE
        WHEN given.status = 'otherwise'
            THEN jsonb_build_object(
                    'asked', given.asked,
                    'shown', given.payload,
                    'times', CASE
                        WHEN tides_master.otherwise_4most -> 'asked' = given.asked
                            THEN (tides_master.otherwise_4most ->> 'times')::integer
                        ELSE 0
                    END + 1
                )
        WHEN given.status <> 'confirmed' THEN tides_master.otherwise_4most
    END,
    refused_4most
    = CASE WHEN given.status = 'refused' THEN given.answer WHEN given.says_nothing THEN tides_master.refused_4most END,
    refused_4most_payload
    = CASE
        WHEN given.status = 'refused' THEN given.payload
        WHEN given.says_nothing THEN tides_master.refused_4most_payload
    END,
    refusals_4most
    = CASE
        WHEN given.status = 'refused' AND tides_master.refused_4most_payload = given.payload
            THEN tides_master.refusals_4most + 1
        WHEN given.status = 'refused' THEN 1
        WHEN given.says_nothing THEN tides_master.refusals_4most
        ELSE 0
    END,
    refused_4most_until
    = CASE
        WHEN given.status = 'refused'
            THEN now() + least(
                    %(longest_wait)s::interval,
                    %(first_wait)s::interval * CASE
                        WHEN tides_master.refused_4most_payload = given.payload
                            THEN 2 ^ least(tides_master.refusals_4most, 20)
                        ELSE 1
                    END
                )
        WHEN given.says_nothing THEN tides_master.refused_4most_until
    END
FROM given
WHERE tides_master.tides_id = given.tides_id;
