-- purpose: keep what targets are in a TOM now, by what its answers showed
-- params: tom text, rows jsonb (list of tides_id, tom_id or null, told, refused, problem, theirs, is_gone)

INSERT INTO tom_target (tom, tides_id, tom_id, told, refused, problem, theirs, theirs_since, gone_since)
SELECT
    %(tom)s::text AS tom,
    given.tides_id,
    given.tom_id,
    given.told,
    given.refused,
    given.problem,
    given.theirs,
    CASE WHEN given.theirs <> '{}' THEN now() END AS theirs_since,
    CASE WHEN given.is_gone THEN now() END AS gone_since
FROM jsonb_to_recordset(%(rows)s::jsonb) AS given (
        tides_id bigint, tom_id bigint, told jsonb, refused jsonb, problem text, theirs jsonb, is_gone boolean
    )
ON CONFLICT (tom, tides_id) DO UPDATE
    SET
        tom_id = excluded.tom_id,
        asked = '{}',
        told = excluded.told,
        refused = excluded.refused,
        problem = excluded.problem,
        theirs = excluded.theirs,
        theirs_since = CASE WHEN excluded.theirs <> '{}' THEN coalesce(tom_target.theirs_since, now()) END,
        gone_since = CASE WHEN excluded.gone_since IS NOT NULL THEN coalesce(tom_target.gone_since, now()) END;
