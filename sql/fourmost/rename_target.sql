-- purpose: give a target that 4MOST never had the next name of its year, as its own is taken there
-- params: tides_id bigint, prefix text (with which names begin), why text
-- returns: name text

WITH counted AS (
    UPDATE name_counter
    SET used = name_counter.used + 1
    FROM tides_master
    WHERE
        tides_master.tides_id = %(tides_id)s::bigint
        AND name_counter.year = 2000 + substring(tides_master.name FROM '(\d\d)[a-z]+$')::integer
    RETURNING name_counter.year, name_counter.used
),

logged AS (
    INSERT INTO exchange_log (tides_id, operation, status, answer)
    VALUES (%(tides_id)s::bigint, 'create', 'repaired', %(why)s::text)
)

UPDATE tides_master
SET name = tides_name(counted.year, counted.used, %(prefix)s::text || CASE WHEN survey = 'host' THEN 'H' ELSE '' END)
FROM counted
WHERE tides_master.tides_id = %(tides_id)s::bigint AND tides_master.pk_4most IS NULL
RETURNING tides_master.name;
