-- purpose: note, before the call, that 4MOST is asked to create these targets
-- params: tides_ids bigint[], now timestamptz

UPDATE tides_master
SET create_asked_4most_at = %(now)s::timestamptz
WHERE tides_id = any(%(tides_ids)s::bigint[]);
