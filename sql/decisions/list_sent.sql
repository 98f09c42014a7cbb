-- purpose: list what 4MOST was asked and answered up to a time about the targets that are called so, or have or first
--          had an object of this name; the oldest first
-- params: object_id text (or the name of a target), survey text (NULL for any; of the object),
--         as_of timestamptz (NULL for now)
-- returns: name text of the target, survey text, logged_at timestamptz, operation text, status text, pk_4most bigint,
--          payload jsonb, answer text, magnitude_origin text

SELECT
    tides_master.name,
    tides_master.survey,
    exchange_log.logged_at,
    exchange_log.operation,
    exchange_log.status,
    exchange_log.pk_4most,
    exchange_log.payload,
    exchange_log.answer,
    exchange_log.magnitude_origin
FROM exchange_log
INNER JOIN tides_master ON exchange_log.tides_id = tides_master.tides_id
WHERE
    (%(as_of)s::timestamptz IS NULL OR exchange_log.logged_at <= %(as_of)s::timestamptz)
    AND exchange_log.tides_id = any(array(SELECT targets_called(%(object_id)s::text, %(survey)s::text)))
ORDER BY exchange_log.exchange_id;
