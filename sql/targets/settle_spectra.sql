-- purpose: note which targets have enough spectra, or a class that is sure; what a target had once it has for good
-- params: least_snr double precision, least_visits bigint, least_confidence double precision (NULL: no class is enough)
-- returns: tides_id bigint of those of which this is new

WITH known AS (
    SELECT
        target_spectrum.own_tides_id,
        target_spectrum.tides_id,
        target_spectrum.visit,
        target_spectrum.snr
    FROM target_spectrum
    WHERE target_spectrum.is_newest
),

sure AS (
    SELECT
        target_class.own_tides_id,
        target_class.tides_id
    FROM target_class
    WHERE class_suffices(target_class.type, target_class.confidence, %(least_confidence)s::double precision)
),

own AS (
    SELECT known.own_tides_id AS tides_id
    FROM known
    GROUP BY known.own_tides_id
    HAVING
        spectra_suffice(
            max(known.snr), count(DISTINCT known.visit), %(least_snr)s::double precision, %(least_visits)s::bigint
        )
    UNION
    SELECT sure.own_tides_id
    FROM sure
),

-- With those of targets that were merged into it.
whole AS (
    SELECT known.tides_id
    FROM known
    GROUP BY known.tides_id
    HAVING
        spectra_suffice(
            max(known.snr), count(DISTINCT known.visit), %(least_snr)s::double precision, %(least_visits)s::bigint
        )
    UNION
    SELECT sure.tides_id
    FROM sure
)

UPDATE tides_master
SET
    has_spectrum = TRUE,
    lent_spectrum = NOT done.by_own
FROM (
    SELECT
        coalesce(own.tides_id, whole.tides_id) AS tides_id,
        own.tides_id IS NOT NULL AS by_own
    FROM own
    FULL JOIN whole ON own.tides_id = whole.tides_id
) AS done
WHERE
    tides_master.tides_id = done.tides_id
    AND (NOT tides_master.has_spectrum OR (tides_master.lent_spectrum AND done.by_own))
RETURNING tides_master.tides_id;
