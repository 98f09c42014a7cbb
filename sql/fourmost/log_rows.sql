-- purpose: log what an operator asks of rows at 4MOST that no target here has, or what was answered
-- params: entries jsonb (list of operation, status, intent_id, pk, payload, answer)
-- returns: exchange_id bigint, pk bigint

INSERT INTO exchange_log (operation, status, intent_id, pk_4most, payload, answer)
SELECT
    entry.operation,
    entry.status,
    entry.intent_id,
    entry.pk,
    entry.payload,
    entry.answer
FROM jsonb_to_recordset(%(entries)s::jsonb) AS entry (
        operation text, status text, intent_id bigint, pk bigint, payload jsonb, answer text
    )
RETURNING exchange_log.exchange_id, exchange_log.pk_4most AS pk;
