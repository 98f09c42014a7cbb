-- purpose: note how many calls were made of those taken, and when at the latest; forget what no hour counts any more
-- params: api_call_id bigint, calls integer, now timestamptz, since timestamptz

WITH forgotten AS (
    DELETE FROM api_call
    WHERE called_at <= %(since)s::timestamptz AND api_call_id <> %(api_call_id)s::bigint
)

UPDATE api_call
SET
    called_at = %(now)s::timestamptz,
    calls = %(calls)s::integer
WHERE api_call_id = %(api_call_id)s::bigint;
