-- purpose: note where one partition is to be read on; it may go back, when a topic was filled anew
-- params: group_id text, topic text, partition integer, next_offset bigint,
--         digest text (of the message before; NULL if none was read now),
--         published_at timestamptz (when it was published; NULL if unknown)

INSERT INTO stream_position (group_id, topic, partition_number, next_offset, last_digest, last_message_at)
VALUES (
    %(group_id)s::text, %(topic)s::text, %(partition)s::integer, %(next_offset)s::bigint, %(digest)s::text,
    %(published_at)s::timestamptz
)
ON CONFLICT (group_id, topic, partition_number) DO UPDATE
    SET
        next_offset = excluded.next_offset,
        last_digest = excluded.last_digest,
        last_message_at = coalesce(excluded.last_message_at, stream_position.last_message_at),
        stored_at = excluded.stored_at
    WHERE
        stream_position.next_offset <> excluded.next_offset
        OR stream_position.last_digest <> excluded.last_digest;
