-- purpose: note what is wanted of ingested targets and not allowed any more; forget it where it is not wanted any more
-- params: wanted jsonb (list of tides_id, changes)

UPDATE tides_master
SET wanted_4most = wanted.changes
FROM (
    SELECT
        known.tides_id,
        given.changes
    FROM tides_master AS known
    LEFT JOIN jsonb_to_recordset(%(wanted)s::jsonb) AS given (tides_id bigint, changes jsonb)
        ON known.tides_id = given.tides_id
    WHERE given.tides_id IS NOT NULL OR known.wanted_4most IS NOT NULL
) AS wanted
WHERE tides_master.tides_id = wanted.tides_id AND tides_master.wanted_4most IS DISTINCT FROM wanted.changes;
