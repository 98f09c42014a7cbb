-- purpose: find where a topic is to be read on
-- params: group_id text, topic text
-- returns: partition_number integer, next_offset bigint, last_digest text (of the message before, NULL if unknown)

SELECT
    stream_position.partition_number,
    stream_position.next_offset,
    stream_position.last_digest
FROM stream_position
WHERE stream_position.group_id = %(group_id)s::text AND stream_position.topic = %(topic)s::text;
