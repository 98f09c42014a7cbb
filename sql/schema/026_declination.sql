-- purpose: let the survey's spectrum pipeline ask tides_master as it asks the survey's own, which has the column dec
-- needs: tides_master
-- makes: a column of tides_master

-- Stored, as PostgreSQL 15 to 17 have no other kind. Nothing of ours reads it.
ALTER TABLE tides_master
ADD COLUMN dec double precision GENERATED ALWAYS AS (decl) STORED;

COMMENT ON COLUMN tides_master.dec IS 'decl, as tides_pipe calls it [deg]';
