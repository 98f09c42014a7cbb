-- purpose: list what 4MOST was asked to create for a target under a name, the newest first
-- params: tides_id bigint, name text
-- returns: payload jsonb

SELECT exchange_log.payload
FROM exchange_log
WHERE
    exchange_log.tides_id = %(tides_id)s::bigint
    AND exchange_log.operation = 'create'
    AND exchange_log.status = 'asked'
    AND exchange_log.payload ->> 'name' = %(name)s::text
ORDER BY exchange_log.exchange_id DESC;
