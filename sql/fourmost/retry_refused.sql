-- purpose: let the next exchange send again what 4MOST refused, whatever is left of the wait
-- returns: number bigint

WITH due AS (
    UPDATE tides_master
    SET refused_4most_until = NULL
    WHERE tides_master.refused_4most_payload IS NOT NULL AND tides_master.refused_4most_until > now()
    RETURNING tides_master.tides_id
)

SELECT count(*) AS number
FROM due;
