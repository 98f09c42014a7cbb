-- purpose: note what is going to be written to a TOM, before it is
-- params: tom text, rows jsonb (list of tides_id, tom_id or null, asked)

INSERT INTO tom_target (tom, tides_id, tom_id, asked)
SELECT
    %(tom)s::text AS tom,
    given.tides_id,
    given.tom_id,
    given.asked
FROM jsonb_to_recordset(%(rows)s::jsonb) AS given (tides_id bigint, tom_id bigint, asked jsonb)
ON CONFLICT (tom, tides_id) DO UPDATE SET tom_id = excluded.tom_id, asked = excluded.asked;
