-- purpose: add up what the runs of each night did, the newest night first; a night is from noon to noon UTC
-- params: begin timestamptz, finish timestamptz (the runs that began within)
-- returns: one row a night: night date (of its evening), runs bigint, failed bigint, seconds double precision (of the
--          longest run), newest timestamptz, and the numbers of the summaries: messages, objects, evaluated, passed,
--          inserted, deactivated, created_in_4most, updated_in_4most, deactivated_in_4most, failed_in_4most bigint

SELECT
    ((run_log.started_at AT TIME ZONE 'UTC') - interval '12 hours')::date AS night,
    count(*) AS runs,
    count(run_log.problem) AS failed,
    max(extract(EPOCH FROM run_log.ended_at - run_log.started_at))::double precision AS seconds,
    max(run_log.started_at) AS newest,
    coalesce(sum((run_log.counts ->> 'messages')::bigint), 0)::bigint AS messages,
    coalesce(sum((run_log.counts ->> 'objects')::bigint), 0)::bigint AS objects,
    coalesce(sum((run_log.counts ->> 'evaluated')::bigint), 0)::bigint AS evaluated,
    coalesce(sum((run_log.counts ->> 'passed')::bigint), 0)::bigint AS passed,
    coalesce(sum((run_log.counts ->> 'inserted')::bigint), 0)::bigint AS inserted,
    coalesce(sum((run_log.counts ->> 'deactivated')::bigint), 0)::bigint AS deactivated,
    coalesce(sum((run_log.counts ->> 'created_in_4most')::bigint), 0)::bigint AS created_in_4most,
    coalesce(sum((run_log.counts ->> 'updated_in_4most')::bigint), 0)::bigint AS updated_in_4most,
    coalesce(sum((run_log.counts ->> 'deactivated_in_4most')::bigint), 0)::bigint AS deactivated_in_4most,
    coalesce(sum((run_log.counts ->> 'failed_in_4most')::bigint), 0)::bigint AS failed_in_4most
FROM run_log
WHERE
    run_log.kind IN ('bridge', 'only')
    AND run_log.started_at >= %(begin)s::timestamptz
    AND run_log.started_at < %(finish)s::timestamptz
GROUP BY 1
ORDER BY 1 DESC;
