-- purpose: take keys from targets whose row is gone, where 4MOST has given them to others, as after a restoration; such
--          a target is looked up by name before it is created again
-- params: answers jsonb (list of tides_id, pk: whose keys they are now)

WITH lost AS (
    SELECT
        tides_master.tides_id,
        tides_master.told_4most,
        owner.pk
    FROM jsonb_to_recordset(%(answers)s::jsonb) AS owner (tides_id bigint, pk bigint)
    INNER JOIN tides_master ON owner.pk = tides_master.pk_4most AND owner.tides_id <> tides_master.tides_id
),

logged AS (
    INSERT INTO exchange_log (tides_id, operation, status, pk_4most, payload, answer)
    SELECT
        lost.tides_id,
        'create' AS operation,
        'asked' AS status,
        lost.pk,
        lost.told_4most,
        'its key belongs to another target now' AS answer
    FROM lost
    RETURNING exchange_log.exchange_id, exchange_log.tides_id
)

UPDATE tides_master
SET
    pk_4most = NULL,
    told_4most = NULL,
    ostd_targ_id = NULL,
    ostd_u_obj_id = NULL,
    date_ingested = NULL,
    asked_4most = logged.exchange_id
FROM logged
WHERE tides_master.tides_id = logged.tides_id;
