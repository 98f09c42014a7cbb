-- purpose: note that messages which had been refused were read again by a run
-- params: refused_ids bigint[], now timestamptz

UPDATE refused_message
SET judged_at = %(now)s::timestamptz
WHERE refused_id = any(%(refused_ids)s::bigint[]);
