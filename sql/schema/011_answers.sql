-- purpose: know what 4MOST shows otherwise than it was asked, and try again what it refused
-- makes: columns of tides_master; the status otherwise of exchange_log

ALTER TABLE exchange_log DROP CONSTRAINT exchange_log_status_check;
ALTER TABLE exchange_log ADD CONSTRAINT exchange_log_status_check CHECK (
    status IN ('asked', 'confirmed', 'refused', 'unanswered', 'adopted', 'absent', 'repaired', 'otherwise')
);

ALTER TABLE tides_master
ADD COLUMN otherwise_4most jsonb,
ADD COLUMN refusals_4most integer NOT NULL DEFAULT 0,
ADD COLUMN refused_4most_until timestamptz;

COMMENT ON COLUMN tides_master.otherwise_4most IS 'what 4MOST was asked, how many times, and what it has shown instead';
COMMENT ON COLUMN tides_master.refusals_4most IS 'how often in a row 4MOST refused refused_4most_payload';
COMMENT ON COLUMN tides_master.refused_4most_until IS 'when refused_4most_payload is tried again';

-- Two bridges on one survey give names of their own: what a name begins with is a setting.
CREATE FUNCTION tides_name(year integer, number bigint, prefix text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT prefix || substr(tides_name(year, number), 1 + length('TiDES'))
$$;
