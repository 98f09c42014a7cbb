-- purpose: note that targets were compared: those that are done are looked at again when they change, or at an epoch
-- params: conditions text, now_mjd double precision (MJD, UTC), is_whole boolean (all were compared),
--         open bigint[] (what is still to be said, of these), expiring jsonb (list of tides_id, due_mjd),
--         as_wanted bigint[] (which 4MOST knows as they are wanted by now, however it answered before)

WITH settled AS (
    DELETE FROM due_4most
    WHERE
        (%(is_whole)s::boolean OR due_4most.due_mjd <= %(now_mjd)s::double precision)
        AND NOT EXISTS (
            SELECT FROM jsonb_to_recordset(%(expiring)s::jsonb) AS given (tides_id bigint)
            WHERE given.tides_id = due_4most.tides_id
        )
        AND NOT EXISTS (
            SELECT FROM unnest(%(open)s::bigint[]) AS given (tides_id)
            WHERE given.tides_id = due_4most.tides_id
        )
),

agreed AS (
    UPDATE tides_master
    SET otherwise_4most = NULL
    WHERE
        tides_master.otherwise_4most IS NOT NULL
        AND (
            tides_master.tides_id = any(%(as_wanted)s::bigint[])
            -- Off here, and off or not at all there: nothing is wanted.
            OR (
                NOT tides_master.active
                AND tides_master.asked_4most IS NULL
                AND NOT coalesce((tides_master.told_4most ->> 'is_active')::boolean, FALSE)
            )
        )
),

compared AS (
    INSERT INTO comparison_4most (conditions, now_mjd)
    VALUES (%(conditions)s::text, %(now_mjd)s::double precision)
    ON CONFLICT (is_only) DO UPDATE SET conditions = excluded.conditions, now_mjd = excluded.now_mjd
)

INSERT INTO due_4most (tides_id, due_mjd)
SELECT
    given.tides_id,
    given.due_mjd
FROM jsonb_to_recordset(%(expiring)s::jsonb) AS given (tides_id bigint, due_mjd double precision)
UNION ALL
SELECT
    given.tides_id,
    '-infinity'::double precision AS due_mjd
FROM unnest(%(open)s::bigint[]) AS given (tides_id)
ON CONFLICT (tides_id) DO UPDATE SET due_mjd = excluded.due_mjd;
