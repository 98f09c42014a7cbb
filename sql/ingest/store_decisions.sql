-- purpose: keep the latest decision on each object; the same again, or one on an older alert, changes nothing
-- params: decisions jsonb (list of survey, object_id, selection_function, passed, newest_mjd)

INSERT INTO decision AS known (survey, object_id, selection_function, passed, newest_mjd)
SELECT
    given.survey,
    given.object_id,
    given.selection_function,
    given.passed,
    given.newest_mjd
FROM jsonb_to_recordset(%(decisions)s::jsonb)
        AS given (survey text, object_id text, selection_function text, passed boolean, newest_mjd double precision)
ON CONFLICT (survey, object_id) DO UPDATE
    SET
        selection_function = excluded.selection_function,
        passed = excluded.passed,
        newest_mjd = excluded.newest_mjd,
        decided_at = excluded.decided_at
    WHERE
        excluded.newest_mjd >= known.newest_mjd
        AND (excluded.selection_function, excluded.passed, excluded.newest_mjd)
        IS DISTINCT FROM (known.selection_function, known.passed, known.newest_mjd);
