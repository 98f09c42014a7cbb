-- purpose: add up the calls of the light-curve API in the last hour, of each broker that made some in the last day
-- params: now timestamptz
-- returns: broker text, calls bigint

SELECT
    api_call.broker,
    coalesce(
        sum(api_call.calls) FILTER (WHERE api_call.called_at > %(now)s::timestamptz - interval '1 hour'), 0
    ) AS calls
FROM api_call
WHERE api_call.called_at > %(now)s::timestamptz - interval '1 day'
GROUP BY api_call.broker
ORDER BY api_call.broker;
