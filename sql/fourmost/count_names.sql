-- purpose: give to nobody any more the names that 4MOST has
-- params: used jsonb (by year the largest number of a name there)

INSERT INTO name_counter AS counter (year, used)
SELECT
    there.key::integer AS year,
    there.value::bigint AS used
FROM jsonb_each_text(%(used)s::jsonb) AS there (key, value)
ON CONFLICT (year) DO UPDATE SET used = greatest(counter.used, excluded.used);
