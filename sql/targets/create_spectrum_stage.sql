-- purpose: make the table that the rows of a delivery are loaded into
-- makes: spectrum_stage, until the end of the transaction

CREATE TEMPORARY TABLE spectrum_stage (LIKE spectrum) ON COMMIT DROP;
ALTER TABLE spectrum_stage DROP COLUMN spectrum_id, DROP COLUMN delivery_id;
