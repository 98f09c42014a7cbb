-- purpose: believe what was found at 4MOST about one target, and log it
-- params: tides_id bigint, pk bigint (NULL if it has none), told jsonb (NULL if it has none), found text

WITH logged AS (
    INSERT INTO exchange_log (tides_id, operation, status, pk_4most, payload, answer)
    VALUES (
        %(tides_id)s::bigint, 'reconcile', 'repaired', %(pk)s::bigint, %(told)s::jsonb, %(found)s::text
    )
)

UPDATE tides_master
SET
    pk_4most = %(pk)s::bigint,
    told_4most = %(told)s::jsonb,
    told_4most_at = now(),
    otherwise_4most = NULL,
    refused_4most = NULL,
    refused_4most_payload = NULL
WHERE tides_id = %(tides_id)s::bigint;
