-- purpose: list the targets that 4MOST was asked about without an answer that was stored
-- returns: one row a target, with the payload it was asked with

SELECT
    tides_master.tides_id,
    tides_master.name,
    tides_master.ra,
    tides_master.decl AS dec,
    tides_master.pk_4most,
    tides_master.told_4most,
    exchange_log.operation,
    exchange_log.payload
FROM tides_master
INNER JOIN exchange_log ON tides_master.asked_4most = exchange_log.exchange_id
WHERE tides_master.asked_4most IS NOT NULL
ORDER BY tides_master.tides_id;
