-- purpose: note that a run begins
-- params: kind text, broker text (of a pull, else NULL)
-- returns: run_id bigint

INSERT INTO run_log (kind, broker)
VALUES (%(kind)s::text, %(broker)s::text)
RETURNING run_log.run_id;
