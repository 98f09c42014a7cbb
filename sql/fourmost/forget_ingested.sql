-- purpose: forget what the operations system made of a target whose row at 4MOST is gone
-- params: tides_id bigint

UPDATE tides_master
SET
    ostd_targ_id = NULL,
    ostd_u_obj_id = NULL,
    date_ingested = NULL
WHERE tides_id = %(tides_id)s::bigint;
