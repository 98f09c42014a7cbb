-- purpose: list what 4MOST was asked and answered about an object up to a time, the oldest first
-- params: object_id text, survey text (NULL for any), as_of timestamptz (NULL for now)
-- returns: survey text, logged_at timestamptz, operation text, status text, pk_4most bigint, payload jsonb, answer text

SELECT
    tides_master.survey,
    exchange_log.logged_at,
    exchange_log.operation,
    exchange_log.status,
    exchange_log.pk_4most,
    exchange_log.payload,
    exchange_log.answer
FROM exchange_log
INNER JOIN tides_master ON exchange_log.tides_id = tides_master.tides_id
WHERE
    tides_master.object_id = %(object_id)s::text
    AND (%(survey)s::text IS NULL OR tides_master.survey = %(survey)s::text)
    AND (%(as_of)s::timestamptz IS NULL OR exchange_log.logged_at <= %(as_of)s::timestamptz)
ORDER BY exchange_log.exchange_id;
