-- purpose: remember rows at 4MOST that have names of ours, and that this database never made
-- params: rows jsonb (list of id, name, is_of_survey)

INSERT INTO namesake (pk_4most, name, is_of_survey)
SELECT DISTINCT ON (met.id)
    met.id,
    met.name,
    met.is_of_survey
FROM jsonb_to_recordset(%(rows)s::jsonb) AS met (id bigint, name text, is_of_survey boolean)
ORDER BY met.id ASC
ON CONFLICT (pk_4most) DO UPDATE SET name = excluded.name, is_of_survey = excluded.is_of_survey, met_at = now();
