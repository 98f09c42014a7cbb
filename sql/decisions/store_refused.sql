-- purpose: keep one message that could not be read, as it came; a repeated one is kept once
-- params: topic text, partition integer, offset bigint, body bytea, reason text, key bytea, broker text
-- returns: rows kept: one or none

INSERT INTO refused_message (topic, partition_number, stream_offset, body, reason, message_key, broker)
VALUES (
    %(topic)s::text, %(partition)s::integer, %(offset)s::bigint, %(body)s::bytea, %(reason)s::text, %(key)s::bytea,
    %(broker)s::text
)
ON CONFLICT DO NOTHING;
