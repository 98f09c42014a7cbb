-- purpose: note why a target cannot be sent, and the payload that it is about
-- params: tides_id bigint, reason text, payload jsonb

UPDATE tides_master
SET
    refused_4most = %(reason)s::text,
    refused_4most_payload = %(payload)s::jsonb
WHERE tides_id = %(tides_id)s::bigint;
