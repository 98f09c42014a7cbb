-- purpose: show where each stream is to be read on
-- returns: group_id text, topic text, partition_number integer, next_offset bigint, stored_at timestamptz,
--          last_message_at timestamptz

SELECT
    stream_position.group_id,
    stream_position.topic,
    stream_position.partition_number,
    stream_position.next_offset,
    stream_position.stored_at,
    stream_position.last_message_at
FROM stream_position
ORDER BY stream_position.group_id, stream_position.topic, stream_position.partition_number;
