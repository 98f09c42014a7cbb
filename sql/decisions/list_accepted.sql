-- purpose: get the messages of a broker that were refused, and that can be read now
-- params: broker text, number integer
-- returns: refused_id bigint, topic text, partition_number integer, stream_offset bigint, body bytea,
--          message_key bytea

SELECT
    refused_message.refused_id,
    refused_message.topic,
    refused_message.partition_number,
    refused_message.stream_offset,
    refused_message.body,
    refused_message.message_key
FROM refused_message
WHERE
    refused_message.broker = %(broker)s::text
    AND refused_message.accepted_at IS NOT NULL
    AND refused_message.judged_at IS NULL
ORDER BY refused_message.refused_id
LIMIT %(number)s::integer;
