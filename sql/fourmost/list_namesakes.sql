-- purpose: list the rows at 4MOST that had names of ours lately, and that this database never made
-- params: days integer (that are looked back)
-- returns: one row a row there: id bigint, name text, is_of_survey boolean (of ours), met_at timestamptz

SELECT
    namesake.pk_4most AS id,
    namesake.name,
    namesake.is_of_survey,
    namesake.met_at
FROM namesake
WHERE namesake.met_at > now() - make_interval(days => %(days)s::integer)
ORDER BY namesake.pk_4most;
