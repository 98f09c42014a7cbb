-- purpose: let the next run do what is held back
-- params: kind text, released bigint (so many may change)

UPDATE held_change
SET
    released = %(released)s::bigint,
    released_at = clock_timestamp()
WHERE held_change.kind = %(kind)s::text;
