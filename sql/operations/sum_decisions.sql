-- purpose: add up what all runs of the bridge read and decided
-- returns: one row: messages bigint, evaluated bigint, passed bigint

SELECT
    coalesce(sum((run_log.counts ->> 'messages')::bigint), 0)::bigint AS messages,
    coalesce(sum((run_log.counts ->> 'evaluated')::bigint), 0)::bigint AS evaluated,
    coalesce(sum((run_log.counts ->> 'passed')::bigint), 0)::bigint AS passed
FROM run_log
WHERE run_log.kind = 'bridge';
