-- purpose: get refused messages as they came
-- params: refused_ids bigint[] (NULL for all that are still refused)
-- returns: refused_id bigint, topic text, partition_number integer, stream_offset bigint, body bytea,
--          message_key bytea, broker text, reason text

SELECT
    refused_message.refused_id,
    refused_message.topic,
    refused_message.partition_number,
    refused_message.stream_offset,
    refused_message.body,
    refused_message.message_key,
    refused_message.broker,
    refused_message.reason
FROM refused_message
WHERE
    refused_message.refused_id = any(%(refused_ids)s::bigint[])
    OR (%(refused_ids)s::bigint[] IS NULL AND refused_message.accepted_at IS NULL)
ORDER BY refused_message.refused_id;
