-- purpose: list refused messages that are still refused, the newest first
-- params: number integer
-- returns: refused_id bigint, topic text, partition_number integer, stream_offset bigint, size integer (bytes),
--          reason text, refused_at timestamptz

SELECT
    refused_message.refused_id,
    refused_message.topic,
    refused_message.partition_number,
    refused_message.stream_offset,
    length(refused_message.body) AS size,
    refused_message.reason,
    refused_message.refused_at
FROM refused_message
WHERE refused_message.accepted_at IS NULL
ORDER BY refused_message.refused_id DESC
LIMIT %(number)s::integer;
