-- purpose: list the spectra of some targets, also of those merged into them, the newest night first
-- params: tides_ids bigint[], least_snr double precision, least_visits bigint, least_confidence double precision
-- returns: one row a spectrum: its columns and those of its delivery, and of its target visits bigint, best_snr double
--          precision, is_enough boolean

WITH summary AS (
    SELECT
        target_spectrum.tides_id,
        count(DISTINCT target_spectrum.visit) AS visits,
        max(target_spectrum.snr) AS best_snr
    FROM target_spectrum
    WHERE target_spectrum.is_newest AND target_spectrum.tides_id = ANY(%(tides_ids)s::bigint[])
    GROUP BY target_spectrum.tides_id
)

SELECT
    target_spectrum.tides_id,
    target_spectrum.spectrum_id,
    target_spectrum.night,
    target_spectrum.mjd,
    target_spectrum.exposure_s,
    target_spectrum.snr,
    target_spectrum.seeing_arcsec,
    target_spectrum.sky_mag,
    target_spectrum.spec_uid,
    target_spectrum.ob_id,
    target_spectrum.path,
    target_spectrum.software,
    target_spectrum.how,
    target_spectrum.separation_arcsec,
    target_spectrum.is_newest,
    target_spectrum.redshift,
    summary.visits,
    summary.best_snr,
    spectra_suffice(
        summary.best_snr, summary.visits, %(least_snr)s::double precision, %(least_visits)s::bigint
    )
    OR class_suffices(target_class.type, target_class.confidence, %(least_confidence)s::double precision) AS is_enough
FROM target_spectrum
INNER JOIN summary ON target_spectrum.tides_id = summary.tides_id
LEFT JOIN target_class ON target_spectrum.tides_id = target_class.tides_id
WHERE target_spectrum.tides_id = ANY(%(tides_ids)s::bigint[])
ORDER BY
    target_spectrum.tides_id ASC, target_spectrum.night DESC, target_spectrum.mjd DESC NULLS LAST,
    target_spectrum.is_newest DESC, target_spectrum.spectrum_id ASC;
