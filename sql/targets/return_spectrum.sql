-- purpose: forget the spectrum that a target had for those merged into it only, if none of them has one any more
-- params: tides_id bigint

UPDATE tides_master
SET
    has_spectrum = FALSE,
    lent_spectrum = FALSE
WHERE
    tides_master.tides_id = %(tides_id)s::bigint
    AND tides_master.lent_spectrum
    AND NOT EXISTS (
        SELECT
        FROM tides_master AS other
        WHERE other.merged_into = tides_master.tides_id AND other.has_spectrum
    );
