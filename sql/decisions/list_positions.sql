-- purpose: find where the topics of a group are to be read on
-- params: group_id text
-- returns: topic text, partition_number integer, next_offset bigint,
--          last_digest text (of the message before, NULL if unknown)

SELECT
    stream_position.topic,
    stream_position.partition_number,
    stream_position.next_offset,
    stream_position.last_digest
FROM stream_position
WHERE stream_position.group_id = %(group_id)s::text;
