-- purpose: note what 4MOST confirmed about one target, with its key there
-- params: tides_id bigint, pk bigint, told jsonb, now timestamptz

UPDATE tides_master
SET
    pk_4most = %(pk)s::bigint,
    told_4most = %(told)s::jsonb,
    told_4most_at = %(now)s::timestamptz,
    refused_4most = NULL,
    refused_4most_payload = NULL
WHERE tides_id = %(tides_id)s::bigint;
