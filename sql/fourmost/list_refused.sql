-- purpose: list why targets were refused, by the format or by 4MOST, with the numbers that stand in a reason left out
-- returns: one row a reason, the most frequent first: reason text, number bigint, example text (name of a target),
--          next_try timestamptz (NULL: when the target changes)

WITH refused AS (
    SELECT
        regexp_replace(tides_master.refused_4most, '-?\d+(\.\d+)?', '#', 'g') AS reason,
        tides_master.name,
        tides_master.refused_4most_until
    FROM tides_master
    WHERE tides_master.refused_4most IS NOT NULL
)

SELECT
    refused.reason,
    count(*) AS number,
    min(refused.name) AS example,
    min(refused.refused_4most_until) AS next_try
FROM refused
GROUP BY refused.reason
ORDER BY number DESC, refused.reason ASC;
