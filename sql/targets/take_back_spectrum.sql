-- purpose: let targets be without a spectrum that were taken to have one, until their spectra are looked at again
-- params: tides_ids bigint[]
-- returns: tides_id bigint of each of them, and of those that they were merged into

UPDATE tides_master
SET
    has_spectrum = FALSE,
    lent_spectrum = FALSE
WHERE
    tides_master.tides_id = ANY(%(tides_ids)s::bigint[])
    OR tides_master.tides_id IN (
        SELECT kept_target(former.tides_id)
        FROM unnest(%(tides_ids)s::bigint[]) AS former (tides_id)
    )
RETURNING tides_master.tides_id;
