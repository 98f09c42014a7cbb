-- purpose: note calls of the light-curve API, and forget those that no hourly limit counts any more
-- params: now timestamptz, calls integer, since timestamptz

WITH forgotten AS (
    DELETE FROM api_call
    WHERE called_at <= %(since)s::timestamptz
)

INSERT INTO api_call (called_at, calls)
VALUES (%(now)s::timestamptz, %(calls)s::integer);
