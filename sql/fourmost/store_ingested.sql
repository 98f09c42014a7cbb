-- purpose: note what 4MOST's operations system made of one target
-- params: pk bigint, ostd_targ_id bigint, ostd_u_obj_id bigint, date_ingested timestamptz

UPDATE tides_master
SET
    ostd_targ_id = %(ostd_targ_id)s::bigint,
    ostd_u_obj_id = %(ostd_u_obj_id)s::bigint,
    date_ingested = %(date_ingested)s::timestamptz
WHERE pk_4most = %(pk)s::bigint;
