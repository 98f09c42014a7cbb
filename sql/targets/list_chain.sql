-- purpose: list the targets into which a target was merged, one into the next, the last of which has its objects
-- params: tides_id bigint
-- returns: tides_id bigint, name text

WITH RECURSIVE chain AS (
    SELECT
        1 AS step,
        tides_master.merged_into
    FROM tides_master
    WHERE tides_master.tides_id = %(tides_id)s::bigint
    UNION ALL
    SELECT
        chain.step + 1 AS step,
        tides_master.merged_into
    FROM chain
    INNER JOIN tides_master ON chain.merged_into = tides_master.tides_id
)

SELECT
    tides_master.tides_id,
    tides_master.name
FROM chain
INNER JOIN tides_master ON chain.merged_into = tides_master.tides_id
ORDER BY chain.step;
