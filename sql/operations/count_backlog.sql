-- purpose: count what 4MOST is still to be told, in SQL alone: tides status works it out target by target
-- params: now_mjd double precision (MJD, UTC)
-- returns: one row of numbers: to_create, to_update, to_deactivate, unanswered; age_seconds double precision (so long
--          at most something has been waiting; 0: nothing waits)
-- An update is noticed by the date of the last detection, or the active flag: new magnitudes come with detections.

WITH target AS (
    SELECT
        tides_master.active,
        tides_master.asked_4most IS NOT NULL AS is_asked,
        tides_master.pk_4most IS NOT NULL AS is_known,
        tides_master.refused_4most IS NOT NULL AS is_refused,
        coalesce((tides_master.told_4most ->> 'is_active')::boolean, FALSE) AS is_told_active,
        tides_master.date_ingested IS NULL
        AND (tides_master.told_4most ->> 'date_earliest')::double precision
        <> tides_master.last_detection_mjd + 2400000.5 AS is_newer,
        coalesce(tides_master.told_4most_at, tides_master.created_at) AS told_at
    FROM tides_master
    WHERE
        tides_master.tides_id IN (
            SELECT due.tides_id FROM due_targets(%(now_mjd)s::double precision) AS due
            UNION ALL
            SELECT asked.tides_id FROM tides_master AS asked
            WHERE asked.asked_4most IS NOT NULL
        )
        AND (
            tides_master.active
            OR tides_master.asked_4most IS NOT NULL
            OR (tides_master.told_4most ->> 'is_active')::boolean
        )
),

waiting AS (
    SELECT
        target.told_at,
        CASE
            WHEN target.is_asked THEN 'unanswered'
            WHEN NOT target.active AND target.is_told_active THEN 'deactivate'
            WHEN target.is_refused OR NOT target.active THEN NULL
            WHEN NOT target.is_known THEN 'create'
            WHEN target.is_newer OR NOT target.is_told_active THEN 'update'
        END AS operation
    FROM target
),

-- All that waited when it began was sent.
last_exchange AS (
    SELECT run_log.started_at
    FROM run_log
    WHERE run_log.kind = 'exchange' AND run_log.ended_at IS NOT NULL AND run_log.problem IS NULL
    ORDER BY run_log.run_id DESC
    LIMIT 1
)

SELECT
    count(*) FILTER (WHERE waiting.operation = 'create') AS to_create,
    count(*) FILTER (WHERE waiting.operation = 'update') AS to_update,
    count(*) FILTER (WHERE waiting.operation = 'deactivate') AS to_deactivate,
    count(*) FILTER (WHERE waiting.operation = 'unanswered') AS unanswered,
    CASE
        WHEN count(waiting.operation) = 0 THEN 0
        ELSE
            extract(
                EPOCH FROM clock_timestamp()
                - greatest(
                    min(waiting.told_at) FILTER (WHERE waiting.operation IS NOT NULL),
                    (SELECT last_exchange.started_at FROM last_exchange)
                )
            )::double precision
    END AS age_seconds
FROM waiting;
