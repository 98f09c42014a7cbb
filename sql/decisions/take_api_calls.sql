-- purpose: take calls of the light-curve API from the budget of the hour, before they are made
-- params: broker text, now timestamptz, since timestamptz, budget integer, wanted integer
-- returns: api_call_id bigint, calls integer, freed_at timestamptz (when the oldest counted call leaves the hour)

WITH spent AS (
    SELECT
        coalesce(sum(api_call.calls), 0) AS calls,
        min(api_call.called_at) FILTER (WHERE api_call.calls > 0)
        + (%(now)s::timestamptz - %(since)s::timestamptz) AS freed_at
    FROM api_call
    WHERE api_call.broker = %(broker)s::text AND api_call.called_at > %(since)s::timestamptz
),

taken AS (
    INSERT INTO api_call (broker, called_at, calls)
    SELECT
        %(broker)s::text AS broker,
        %(now)s::timestamptz AS called_at,
        greatest(least(%(wanted)s::integer, %(budget)s::integer - spent.calls), 0) AS calls
    FROM spent
    RETURNING api_call.api_call_id, api_call.calls
)

SELECT
    taken.api_call_id,
    taken.calls,
    spent.freed_at
FROM taken
CROSS JOIN spent;
