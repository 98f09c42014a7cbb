-- purpose: get the newest list that was loaded
-- needs: tns_load
-- returns: at most one row

SELECT
    tns_load.file,
    tns_load.listed_for,
    tns_load.objects,
    tns_load.refused,
    tns_load.loaded_at
FROM tns_load
ORDER BY tns_load.tns_load_id DESC
LIMIT 1;
