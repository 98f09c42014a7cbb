-- purpose: remember rows at 4MOST that have names of ours, and that this database never made
-- params: rows jsonb (list of id, name)

INSERT INTO namesake (pk_4most, name)
SELECT DISTINCT ON (met.id)
    met.id,
    met.name
FROM jsonb_to_recordset(%(rows)s::jsonb) AS met (id bigint, name text)
ORDER BY met.id ASC
ON CONFLICT (pk_4most) DO UPDATE SET name = excluded.name, met_at = now();
