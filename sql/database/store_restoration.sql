-- purpose: note that this database was restored, and since when it may have forgotten things: its newest run
-- params: file text

INSERT INTO restoration (taken_at, file)
SELECT
    coalesce(max(run_log.started_at), now()) AS taken_at,
    %(file)s::text AS file
FROM run_log;
