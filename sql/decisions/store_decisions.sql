-- purpose: add to the record what the staged decisions say that is new, and keep the latest of each object and function
-- needs: decision_stage
-- params: run_id bigint (NULL for none), now timestamptz
-- returns: recorded bigint: number of rows added to the record
-- The same light curve under the same version with the same result says nothing new, whatever its alert. A decision for
-- an older alert than one that was judged before is recorded, and does not become the latest.

WITH given AS (
    SELECT
        decision_stage.survey,
        decision_stage.object_id,
        decision_stage.function,
        decision_stage.version,
        decision_stage.role,
        decision_stage.code_version,
        decision_stage.curve_digest,
        decision_stage.n_detections,
        decision_stage.newest_mjd,
        decision_stage.measured,
        decision_stage.failed,
        decision_stage.passed,
        decision_stage.trigger_mjd,
        decision_stage.judged_with,
        decision_stage.now_mjd,
        decision_stage.left_out,
        before.decided_at,
        coalesce(decision_stage.newest_mjd < before.newest_mjd, FALSE) AS is_stale,
        (
            before.version IS DISTINCT FROM decision_stage.version
            OR before.role IS DISTINCT FROM decision_stage.role
            OR before.curve_digest IS DISTINCT FROM decision_stage.curve_digest
            OR before.failed IS DISTINCT FROM decision_stage.failed
            OR before.passed IS DISTINCT FROM decision_stage.passed
            OR before.trigger_mjd IS DISTINCT FROM decision_stage.trigger_mjd
        ) AS is_new
    FROM decision_stage
    LEFT JOIN last_decision AS before
        ON
            decision_stage.survey = before.survey AND decision_stage.object_id = before.object_id
            AND decision_stage.function = before.function
),

recorded AS (
    INSERT INTO decision (
        decided_at, run_id, newest_mjd, trigger_mjd, curve_digest, n_detections, passed, is_stale, survey, object_id,
        function, version, role, code_version, failed, measured, judged_with, now_mjd, left_out
    )
    SELECT
        %(now)s::timestamptz AS decided_at,
        %(run_id)s::bigint AS run_id,
        given.newest_mjd,
        given.trigger_mjd,
        given.curve_digest,
        given.n_detections,
        given.passed,
        given.is_stale,
        given.survey,
        given.object_id,
        given.function,
        given.version,
        given.role,
        given.code_version,
        given.failed,
        given.measured,
        given.judged_with,
        given.now_mjd,
        given.left_out
    FROM given
    WHERE given.is_new
    RETURNING decision.decision_id
),

kept AS (
    INSERT INTO last_decision AS known (
        survey, object_id, function, version, role, curve_digest, failed, passed, trigger_mjd, newest_mjd, decided_at
    )
    SELECT
        given.survey,
        given.object_id,
        given.function,
        given.version,
        given.role,
        given.curve_digest,
        given.failed,
        given.passed,
        given.trigger_mjd,
        given.newest_mjd,
        CASE WHEN given.is_new THEN %(now)s::timestamptz ELSE given.decided_at END AS decided_at
    FROM given
    WHERE NOT given.is_stale
    ON CONFLICT (survey, object_id, function) DO UPDATE
        SET
            version = excluded.version,
            role = excluded.role,
            curve_digest = excluded.curve_digest,
            failed = excluded.failed,
            passed = excluded.passed,
            trigger_mjd = excluded.trigger_mjd,
            newest_mjd = excluded.newest_mjd,
            decided_at = excluded.decided_at
        WHERE (excluded.decided_at, excluded.newest_mjd) IS DISTINCT FROM (known.decided_at, known.newest_mjd)
)

SELECT count(*) AS recorded
FROM recorded;
