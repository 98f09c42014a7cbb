-- purpose: note, before the calls, what 4MOST is going to be asked
-- params: intents jsonb (list of tides_id, operation, pk, payload, origin)

WITH intent AS (
    SELECT
        given.tides_id,
        given.operation,
        given.pk,
        given.payload,
        given.origin
    FROM jsonb_to_recordset(%(intents)s::jsonb) AS given (
            tides_id bigint, operation text, pk bigint, payload jsonb, origin text
        )
),

logged AS (
    INSERT INTO exchange_log (tides_id, operation, status, attempt, pk_4most, payload, magnitude_origin)
    SELECT
        intent.tides_id,
        intent.operation,
        'asked' AS status,
        1 + (
            SELECT count(*)
            FROM exchange_log AS earlier
            WHERE
                earlier.tides_id = intent.tides_id
                AND earlier.operation = intent.operation
                AND earlier.status = 'asked'
                AND earlier.payload = intent.payload
        ) AS attempt,
        intent.pk,
        intent.payload,
        intent.origin
    FROM intent
    RETURNING exchange_log.exchange_id, exchange_log.tides_id
)

UPDATE tides_master
SET asked_4most = logged.exchange_id
FROM logged
WHERE tides_master.tides_id = logged.tides_id;
