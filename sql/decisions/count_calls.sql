-- purpose: count the calls of light-curve APIs that were made since a run began
-- params: run_id bigint
-- returns: calls bigint

SELECT coalesce(sum(api_call.calls), 0) AS calls
FROM run_log
INNER JOIN api_call ON run_log.started_at <= api_call.called_at
WHERE run_log.run_id = %(run_id)s::bigint;
