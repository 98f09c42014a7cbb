-- purpose: list the messages that were refused since a run began, without their content
-- params: run_id bigint, number integer (of rows at most)
-- returns: one row a message, total bigint: how many there are

SELECT
    refused_message.refused_id,
    refused_message.broker,
    refused_message.topic,
    refused_message.partition_number,
    refused_message.stream_offset,
    refused_message.reason,
    count(*) OVER () AS total
FROM run_log
INNER JOIN refused_message ON run_log.started_at <= refused_message.refused_at
WHERE run_log.run_id = %(run_id)s::bigint
ORDER BY refused_message.refused_id
LIMIT %(number)s::integer;
