-- purpose: count the targets of a list in cells of about the same size on the sky
-- params: chosen jsonb (as filter_listed has it), step double precision (deg, the height of a cell)
-- returns: one row a cell with targets: band integer (from the south pole on), place integer (from 0 h on),
--          targets bigint

WITH bands AS (
    SELECT
        band.number AS band,
        greatest(
            1, round(360 * cosd(-90 + (band.number + 0.5) * %(step)s::double precision) / %(step)s::double precision)
        ) AS cells
    FROM generate_series(0, (180 / %(step)s::double precision)::integer - 1) AS band (number)
)

SELECT
    bands.band,
    floor(banded.ra / 360 * bands.cells)::integer AS place,
    count(*) AS targets
FROM (
    SELECT
        listed.ra,
        least(
            floor((listed.decl + 90) / %(step)s::double precision), 180 / %(step)s::double precision - 1
        )::integer AS band
    FROM filter_listed(%(chosen)s::jsonb) AS listed
) AS banded
INNER JOIN bands ON banded.band = bands.band
GROUP BY bands.band, place;
