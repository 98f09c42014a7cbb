-- purpose: ask a person about each new target that has another one near it, though not so near that they are one
-- needs: new_object, neighbour, after upsert_to_master

INSERT INTO association_question (survey, object_id, tides_id, separation_arcsec)
SELECT
    new_object.survey,
    new_object.object_id,
    coalesce(neighbour.tides_id, earlier.tides_id) AS tides_id,
    min(neighbour.separation_arcsec) AS separation_arcsec
FROM new_object
INNER JOIN neighbour ON new_object.number = neighbour.number
LEFT JOIN new_object AS earlier ON neighbour.earlier = earlier.number
WHERE new_object.how = 'first'
GROUP BY new_object.number, coalesce(neighbour.tides_id, earlier.tides_id)
ORDER BY new_object.number, coalesce(neighbour.tides_id, earlier.tides_id)
ON CONFLICT (survey, object_id, tides_id) DO NOTHING;
