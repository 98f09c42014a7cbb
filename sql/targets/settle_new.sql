-- purpose: give the other new objects the target of the nearest object within the radius; of equally near ones that of
--          the smaller tides_id
-- needs: new_object, neighbour, after add_targets
-- params: match_radius double precision (arcsec)
-- returns: settled bigint: those that had to wait for another new object

WITH settled AS (
    SELECT
        neighbour.number,
        min(neighbour.separation_arcsec) AS separation_arcsec,
        (
            array_agg(
                coalesce(neighbour.tides_id, earlier.tides_id)
                ORDER BY neighbour.separation_arcsec, coalesce(neighbour.tides_id, earlier.tides_id)
            )
        )[1] AS tides_id
    FROM neighbour
    LEFT JOIN new_object AS earlier ON neighbour.earlier = earlier.number
    WHERE neighbour.separation_arcsec <= %(match_radius)s::double precision
    GROUP BY neighbour.number
    HAVING bool_and(coalesce(neighbour.tides_id, earlier.tides_id) IS NOT NULL)
)

UPDATE new_object
SET
    tides_id = settled.tides_id,
    separation_arcsec = settled.separation_arcsec,
    how = 'position'
FROM settled
WHERE new_object.number = settled.number;

SELECT settle_chains(%(match_radius)s::double precision) AS settled;
