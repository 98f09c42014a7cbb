-- purpose: note that a run begins
-- params: kind text
-- returns: run_id bigint

INSERT INTO run_log (kind)
VALUES (%(kind)s::text)
RETURNING run_log.run_id;
