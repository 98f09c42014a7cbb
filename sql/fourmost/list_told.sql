-- purpose: list all targets with what we believe 4MOST knows of them
-- returns: one row a target

SELECT
    tides_master.tides_id,
    tides_master.name,
    tides_master.ra,
    tides_master.decl AS dec,
    tides_master.active,
    tides_master.pk_4most,
    tides_master.told_4most,
    tides_master.asked_4most,
    tides_master.ostd_targ_id,
    tides_master.ostd_u_obj_id,
    tides_master.date_ingested
FROM tides_master
ORDER BY tides_master.tides_id;
