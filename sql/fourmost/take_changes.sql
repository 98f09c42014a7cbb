-- purpose: let what changed be due, each target once; what another transaction commits from now on is left for later

WITH taken AS (
    DELETE FROM change_4most
    RETURNING change_4most.tides_id
)

INSERT INTO due_4most (tides_id, due_mjd)
SELECT DISTINCT
    taken.tides_id,
    '-infinity'::double precision AS due_mjd
FROM taken
ON CONFLICT (tides_id) DO UPDATE SET due_mjd = excluded.due_mjd;
