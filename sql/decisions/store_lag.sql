-- purpose: note how many messages of one partition were still to be read
-- params: group_id text, topic text, partition integer, lag bigint, now timestamptz

UPDATE stream_position
SET
    lag = %(lag)s::bigint,
    lag_at = %(now)s::timestamptz
WHERE
    group_id = %(group_id)s::text
    AND topic = %(topic)s::text
    AND partition_number = %(partition)s::integer;
