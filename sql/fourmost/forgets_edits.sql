-- purpose: tell whether what differs at 4MOST may be our own doing, forgotten when this database was restored
-- returns: is_so boolean: no reconciliation has ended well since

SELECT count(*) > 0 AS is_so
FROM restoration
WHERE restoration.restored_at > coalesce(
        (
            SELECT max(run_log.started_at)
            FROM run_log
            WHERE run_log.kind = 'reconcile' AND run_log.ended_at IS NOT NULL AND run_log.problem IS NULL
        ),
        '-infinity'
    );
