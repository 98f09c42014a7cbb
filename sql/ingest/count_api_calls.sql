-- purpose: count the calls of the light-curve API since a time
-- params: since timestamptz
-- returns: calls bigint

SELECT coalesce(sum(api_call.calls), 0) AS calls
FROM api_call
WHERE api_call.called_at > %(since)s::timestamptz;
