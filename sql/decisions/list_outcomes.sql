-- purpose: join what some functions decided of targets with what the targets turned out to be
-- needs: decision, last_decision, association, target_class, object_brightness
-- params: functions text[], bands text[] (in which the brightest magnitude counts)
-- returns: one row a target and function that judged it: name text, ra and decl double precision (deg),
--          first_detection_mjd double precision, n_detections integer, function text, trigger_mjd double precision
--          (NULL: it never passed), passed boolean (now), type text and redshift double precision (NULL: not known),
--          peak_magnitude double precision, peak_mjd double precision

WITH judged AS (
    SELECT
        association.tides_id,
        decision.function,
        min(decision.trigger_mjd) AS trigger_mjd
    FROM association
    INNER JOIN decision
        ON association.object_id = decision.object_id AND association.survey = decision.survey
    WHERE decision.function = ANY(%(functions)s::text[])
    GROUP BY association.tides_id, decision.function
),

latest AS (
    SELECT
        association.tides_id,
        last_decision.function,
        bool_or(last_decision.passed) AS passed
    FROM association
    INNER JOIN last_decision
        ON association.object_id = last_decision.object_id AND association.survey = last_decision.survey
    WHERE last_decision.function = ANY(%(functions)s::text[])
    GROUP BY association.tides_id, last_decision.function
),

peak AS (
    SELECT DISTINCT ON (association.tides_id)
        association.tides_id,
        bright.brightest_mag AS peak_magnitude,
        bright.brightest_mjd AS peak_mjd
    FROM association
    INNER JOIN object_brightness AS bright
        ON association.survey = bright.survey AND association.object_id = bright.object_id
    WHERE bright.band = ANY(%(bands)s::text[]) AND bright.brightest_mag IS NOT NULL
    ORDER BY association.tides_id ASC, bright.brightest_mag ASC, bright.brightest_mjd ASC
)

SELECT
    tides_master.name,
    tides_master.ra,
    tides_master.decl,
    tides_master.first_detection_mjd,
    tides_master.n_detections,
    judged.function,
    judged.trigger_mjd,
    coalesce(latest.passed, FALSE) AS passed,
    target_class.type,
    target_class.redshift,
    peak.peak_magnitude,
    peak.peak_mjd
FROM judged
INNER JOIN tides_master ON judged.tides_id = tides_master.tides_id
LEFT JOIN latest
    ON judged.tides_id = latest.tides_id AND judged.function = latest.function
LEFT JOIN target_class ON judged.tides_id = target_class.tides_id
LEFT JOIN peak ON judged.tides_id = peak.tides_id
ORDER BY tides_master.name, judged.function;
