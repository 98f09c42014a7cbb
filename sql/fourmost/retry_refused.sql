-- purpose: let the next exchange send again what 4MOST refused, whatever is left of the wait, or answered otherwise so
--          often that it is not asked any more
-- params: times integer (that it was asked at least)
-- returns: number bigint

WITH due AS (
    UPDATE tides_master
    SET refused_4most_until = NULL, otherwise_4most = NULL
    WHERE
        (tides_master.refused_4most_payload IS NOT NULL AND tides_master.refused_4most_until > now())
        OR (tides_master.otherwise_4most ->> 'times')::integer >= %(times)s::integer
    RETURNING tides_master.tides_id
)

SELECT count(*) AS number
FROM due;
