-- purpose: respect what people change at 4MOST, and log what operators do to rows there that no target here has
-- changes: exchange_log, held_change
-- makes: the column respected_4most of tides_master; indexes of ruling, ruling_subject and tides_master

ALTER TABLE tides_master ADD COLUMN respected_4most jsonb;

COMMENT ON COLUMN tides_master.respected_4most IS 'columns that somebody changed at 4MOST, and that are left so';

ALTER TABLE exchange_log DROP CONSTRAINT exchange_log_operation_check;
ALTER TABLE exchange_log ADD CONSTRAINT exchange_log_operation_check CHECK (
    operation IN ('create', 'update', 'deactivate', 'reconcile', 'delete')
);
ALTER TABLE exchange_log ALTER COLUMN tides_id DROP NOT NULL;

COMMENT ON COLUMN exchange_log.tides_id IS 'NULL for a row at 4MOST that is no target here: tides fourmost-rows';

ALTER TABLE held_change DROP CONSTRAINT held_change_kind_check;
ALTER TABLE held_change ADD CONSTRAINT held_change_kind_check CHECK (
    kind IN ('deactivation', 'activation', 'position', 'magnitude', 'record', 'rows')
);

-- Those that a person is asked about.
CREATE INDEX ruling_from_4most ON ruling (ruling_id) WHERE source = '4most';
CREATE INDEX tides_master_respected ON tides_master (tides_id) WHERE respected_4most IS NOT NULL;
CREATE INDEX tides_master_refused ON tides_master (tides_id) WHERE refused_4most IS NOT NULL;
CREATE INDEX tides_master_otherwise ON tides_master (tides_id) WHERE otherwise_4most IS NOT NULL;

CREATE INDEX ruling_subject_tag ON ruling_subject (tag) WHERE kind = 'tag' AND ended_by IS NULL;
