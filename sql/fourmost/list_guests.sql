-- purpose: list the targets that wait while a row is on at 4MOST, as far as is known, that is off here: of a transient
--          that of a host in which it may lie, of a host those of its transients, merged and vetoed ones, too
-- returns: one row a target: tides_id bigint

WITH pointing AS (
    SELECT
        host.tides_id AS host_id,
        association.tides_id
    FROM host
    INNER JOIN host_candidate ON host.host_id = host_candidate.host_id
    INNER JOIN association
        ON host_candidate.object_id = association.object_id AND host_candidate.survey = association.survey
    WHERE host.tides_id IS NOT NULL
),

ending AS (
    SELECT
        tides_master.tides_id,
        tides_master.merged_into
    FROM tides_master
    WHERE NOT tides_master.active AND (tides_master.told_4most ->> 'is_active')::boolean
)

SELECT pointing.tides_id
FROM pointing
INNER JOIN ending ON pointing.host_id = ending.tides_id
UNION
SELECT pointing.host_id AS tides_id
FROM pointing
INNER JOIN ending ON pointing.tides_id IN (ending.tides_id, ending.merged_into);
