-- purpose: list what happened to targets between two times, the newest of each kind first
-- params: begin timestamptz, finish timestamptz, number integer (of rows of each kind, at most)
-- returns: one row a target and kind: what text (new, sent, changed, off or refused), name text, active boolean,
--          inactive_reason text, at timestamptz, reason text, total bigint (of this kind)

WITH happened AS (
    SELECT
        'new' AS what,
        tides_master.tides_id,
        tides_master.created_at AS at,
        'by ' || tides_master.selection_function AS reason
    FROM tides_master
    WHERE
        tides_master.created_at >= %(begin)s::timestamptz
        AND tides_master.created_at < %(finish)s::timestamptz
    UNION ALL
    SELECT
        CASE
            WHEN exchange_log.status = 'refused' THEN 'refused'
            WHEN exchange_log.operation = 'deactivate' THEN 'off'
            WHEN exchange_log.operation = 'create' THEN 'sent'
            ELSE 'changed'
        END AS what,
        exchange_log.tides_id,
        max(exchange_log.logged_at) AS at,
        max(exchange_log.answer) AS reason
    FROM exchange_log
    WHERE
        exchange_log.logged_at >= %(begin)s::timestamptz
        AND exchange_log.logged_at < %(finish)s::timestamptz
        AND exchange_log.status IN ('confirmed', 'adopted', 'repaired', 'otherwise', 'refused')
    GROUP BY what, exchange_log.tides_id
),

numbered AS (
    SELECT
        happened.*,
        row_number() OVER (PARTITION BY happened.what ORDER BY happened.at DESC, happened.tides_id DESC) AS place,
        count(*) OVER (PARTITION BY happened.what) AS total
    FROM happened
)

SELECT
    numbered.what,
    tides_master.name,
    tides_master.active,
    tides_master.inactive_reason,
    numbered.at,
    numbered.reason,
    numbered.total
FROM numbered
INNER JOIN tides_master ON numbered.tides_id = tides_master.tides_id
WHERE numbered.place <= %(number)s::integer
ORDER BY numbered.what, numbered.place;
