-- purpose: count the targets of a list by magnitude, or by the time of their last detection
-- params: chosen jsonb (as filter_listed has it), by text (mag, tonight or seen), width double precision (of a bin)
-- returns: one row a bin with targets, in order: bin integer (it begins at this times the width), targets bigint

SELECT
    floor(measured.value / %(width)s::double precision)::integer AS bin,
    count(*) AS targets
FROM (
    SELECT
        CASE %(by)s::text
            WHEN 'mag' THEN listed.mag
            WHEN 'tonight' THEN listed.tonight_mag
            WHEN 'seen' THEN listed.last_detection_mjd
        END AS value
    FROM filter_listed(%(chosen)s::jsonb) AS listed
) AS measured
WHERE measured.value IS NOT NULL
GROUP BY bin
ORDER BY bin;
