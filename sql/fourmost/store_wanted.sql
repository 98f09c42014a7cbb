-- purpose: note what is wanted of ingested targets and not allowed any more; forget it where it is not wanted any more
-- params: wanted jsonb (list of tides_id, changes, which is null where nothing is wanted)

UPDATE tides_master
SET wanted_4most = wanted.changes
FROM jsonb_to_recordset(%(wanted)s::jsonb) AS wanted (tides_id bigint, changes jsonb)
WHERE tides_master.tides_id = wanted.tides_id AND tides_master.wanted_4most IS DISTINCT FROM wanted.changes;
