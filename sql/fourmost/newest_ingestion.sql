-- purpose: find the newest ingestion we know of
-- returns: date_ingested timestamptz, NULL if there was none

SELECT max(tides_master.date_ingested) AS date_ingested
FROM tides_master;
