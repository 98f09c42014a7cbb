-- purpose: tell from when on 4MOST may have rows that this database forgot when it was restored
-- params: since timestamptz (restorations before it are over)
-- returns: taken_at timestamptz; no row if it was not restored

SELECT min(restoration.taken_at) AS taken_at
FROM restoration
WHERE restoration.restored_at >= %(since)s::timestamptz
HAVING count(*) > 0;
