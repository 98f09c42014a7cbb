-- purpose: count spectra, and the files that they came in
-- returns: one row of numbers: spectra (of targets), observed (targets with a spectrum), done (targets with enough),
--          unmatched (spectra of which nobody knows whose), refused_files; and newest_night date

SELECT
    count(*) AS spectra,
    count(DISTINCT target_spectrum.tides_id) AS observed,
    (SELECT count(*) FROM tides_master WHERE tides_master.has_spectrum AND tides_master.merged_into IS NULL) AS done,
    (SELECT count(*) FROM unmatched_spectrum) AS unmatched,
    (SELECT count(*) FROM delivery_file WHERE delivery_file.problem IS NOT NULL) AS refused_files,
    (SELECT max(delivery.night) FROM delivery) AS newest_night
FROM target_spectrum
WHERE target_spectrum.is_newest;
