-- purpose: note that a refused message could be read after all
-- params: refused_id bigint, now timestamptz

UPDATE refused_message
SET accepted_at = %(now)s::timestamptz
WHERE refused_id = %(refused_id)s::bigint AND accepted_at IS NULL;
