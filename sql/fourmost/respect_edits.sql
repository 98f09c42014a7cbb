-- purpose: leave columns of a target's row at 4MOST as somebody has set them there
-- params: tides_id bigint, edited jsonb (values by column)

UPDATE tides_master
SET respected_4most = coalesce(tides_master.respected_4most, '{}') || %(edited)s::jsonb
WHERE tides_master.tides_id = %(tides_id)s::bigint;
