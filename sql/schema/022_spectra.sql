-- purpose: keep what 4MOST's deliveries say of spectra, and which target each spectrum is of
-- needs: tides_master, kept_target, great_circle_arcsec, refuse_change, run_log
-- makes: delivery, delivery_file, spectrum, spectrum_match; the views delivery_in_force, target_spectrum,
--        unmatched_spectrum; the functions software_order, spectra_suffice; an index of tides_master; a kind of run_log
-- units: angles in degrees (ICRS), epochs in MJD (UTC), exposures in seconds

ALTER TABLE run_log DROP CONSTRAINT run_log_kind_check;
ALTER TABLE run_log
ADD CONSTRAINT run_log_kind_check
CHECK (kind IN ('bridge', 'pull', 'exchange', 'reconcile', 'backup', 'spectra'));

CREATE TABLE delivery (
    delivery_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    path text NOT NULL,
    digest text NOT NULL,
    night date NOT NULL,
    software text,
    made_at text,
    spectra integer NOT NULL,
    taken_in_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE delivery IS 'files of spectra as they were read: only added to, the newest of a path counts';
COMMENT ON COLUMN delivery.digest IS 'of all that was read: the same content again brings nothing';
COMMENT ON COLUMN delivery.night IS 'it begins at noon UTC of this day';
COMMENT ON COLUMN delivery.software IS 'PROCSOFT: a newer one counts before an older one of the same visit';
COMMENT ON COLUMN delivery.made_at IS 'DATE of the file, as it is written there';

CREATE INDEX delivery_path ON delivery (path, delivery_id);

CREATE TRIGGER delivery_is_kept BEFORE UPDATE OR DELETE ON delivery
FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE delivery_file (
    path text PRIMARY KEY,
    bytes bigint NOT NULL,
    modified_ns bigint NOT NULL,
    read_as text NOT NULL,
    problem text,
    since timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE delivery_file IS 'how each file of spectra was when it was looked at last: read again when it changes';
COMMENT ON COLUMN delivery_file.read_as IS 'the settings that matter for what is read';
COMMENT ON COLUMN delivery_file.problem IS 'why it cannot be read: tried again each time; NULL if it was read';
COMMENT ON COLUMN delivery_file.since IS 'since when it has this problem, or none';

CREATE TABLE spectrum (
    spectrum_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    delivery_id bigint NOT NULL REFERENCES delivery,
    row_number integer NOT NULL,
    u_obj_id bigint,
    targ_id bigint,
    pk_4most bigint,
    object_name text,
    ra double precision,
    decl double precision,
    spec_uid text,
    ob_id text,
    mjd double precision,
    exposure_s double precision,
    snr double precision,
    seeing_arcsec double precision,
    sky_mag double precision,
    combined integer,
    redshift double precision,
    redshift_error double precision,
    redshift_warning text,
    redshift_template text,
    redshift_probability double precision,
    flag text,
    fibre_use text,
    UNIQUE (delivery_id, row_number)
);

COMMENT ON TABLE spectrum IS 'the rows of deliveries: only added to; the spectrum itself stays in the file';
COMMENT ON COLUMN spectrum.u_obj_id IS 'OBJ_UID, which is ostd_u_obj_id of its target; NULL if it has none';
COMMENT ON COLUMN spectrum.spec_uid IS 'SPECUID; NULL where it is -1: no spectrum was made';
COMMENT ON COLUMN spectrum.mjd IS '[MJD, UTC] the middle of the exposure, as far as that is known';
COMMENT ON COLUMN spectrum.snr IS 'that of the file, or in the range of wavelengths of the settings';
COMMENT ON COLUMN spectrum.sky_mag IS '[mag/arcsec2] brightness of the sky';
COMMENT ON COLUMN spectrum.combined IS 'exposures in it';
COMMENT ON COLUMN spectrum.redshift IS 'and what follows: QZC_* of the delivery, written in place later';

CREATE TRIGGER spectrum_is_kept BEFORE UPDATE OR DELETE ON spectrum
FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE spectrum_match (
    match_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    spectrum_id bigint NOT NULL REFERENCES spectrum,
    tides_id bigint REFERENCES tides_master,
    how text NOT NULL CHECK (how IN ('OBJ_UID', 'key', 'name', 'person')),
    separation_arcsec double precision,
    who text,
    reason text,
    matched_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (tides_id IS NOT NULL OR how = 'person'),
    CHECK ((how = 'person') = (who IS NOT NULL AND reason IS NOT NULL))
);

COMMENT ON TABLE spectrum_match IS 'which target each spectrum is of: only added to, the newest counts';
COMMENT ON COLUMN spectrum_match.tides_id IS 'NULL: of none of ours, a person says';

CREATE INDEX spectrum_match_spectrum ON spectrum_match (spectrum_id, match_id);
CREATE INDEX spectrum_match_target ON spectrum_match (tides_id);

CREATE TRIGGER spectrum_match_is_kept BEFORE UPDATE OR DELETE ON spectrum_match
FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE INDEX tides_master_u_obj_id ON tides_master (ostd_u_obj_id) WHERE ostd_u_obj_id IS NOT NULL;

CREATE VIEW delivery_in_force AS
SELECT DISTINCT ON (delivery.path) delivery.*
FROM delivery
ORDER BY delivery.path, delivery.delivery_id DESC;

COMMENT ON VIEW delivery_in_force IS 'the newest reading of each file';

-- The numbers of a version, so that 1.10 comes after 1.9.
CREATE FUNCTION software_order(software text) RETURNS numeric[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array(
        SELECT found.part[1]::numeric
        FROM regexp_matches(software, '\d+', 'g') WITH ORDINALITY AS found (part, place)
        ORDER BY found.place
    )
$$;

CREATE VIEW target_spectrum AS
WITH matched AS (
    SELECT DISTINCT ON (spectrum_match.spectrum_id)
        spectrum_match.spectrum_id,
        spectrum_match.tides_id,
        spectrum_match.how,
        spectrum_match.separation_arcsec
    FROM spectrum_match
    ORDER BY spectrum_match.spectrum_id, spectrum_match.match_id DESC
)

SELECT
    matched.tides_id AS own_tides_id,
    CASE
        WHEN tides_master.merged_into IS NULL THEN tides_master.tides_id
        ELSE kept_target(tides_master.tides_id)
    END AS tides_id,
    matched.how,
    matched.separation_arcsec,
    delivery.path,
    delivery.night,
    delivery.software,
    delivery.taken_in_at,
    spectrum.*,
    delivery.night::text || coalesce(' ' || spectrum.ob_id, '') AS visit,
    rank() OVER (
        PARTITION BY matched.tides_id, delivery.night, spectrum.ob_id
        ORDER BY software_order(delivery.software) DESC NULLS LAST
    ) = 1 AS is_newest
FROM delivery_in_force AS delivery
INNER JOIN spectrum ON delivery.delivery_id = spectrum.delivery_id
INNER JOIN matched ON spectrum.spectrum_id = matched.spectrum_id
INNER JOIN tides_master ON matched.tides_id = tides_master.tides_id
WHERE spectrum.spec_uid IS NOT NULL;

COMMENT ON VIEW target_spectrum IS
'the spectra of each target, also of those merged into it; is_newest: by the newest software of its visit';

CREATE VIEW unmatched_spectrum AS
SELECT
    spectrum.*,
    delivery.path,
    delivery.night,
    delivery.taken_in_at,
    concat_ws(
        ' ', 'OBJ_UID ' || spectrum.u_obj_id::text, spectrum.object_name,
        'at ' || round(spectrum.ra::numeric, 5)::text || ' ' || round(spectrum.decl::numeric, 5)::text
    ) AS words
FROM delivery_in_force AS delivery
INNER JOIN spectrum ON delivery.delivery_id = spectrum.delivery_id
WHERE
    spectrum.spec_uid IS NOT NULL
    AND NOT EXISTS (
        SELECT
        FROM spectrum_match
        WHERE spectrum_match.spectrum_id = spectrum.spectrum_id
    );

COMMENT ON VIEW unmatched_spectrum IS 'spectra of which neither a rule nor a person has said whose they are';

-- Whether a target needs no further spectrum: one of its spectra is good enough, and there are enough visits.
CREATE FUNCTION spectra_suffice(
    best_snr double precision, visits bigint, least_snr double precision, least_visits bigint
) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(best_snr >= least_snr AND visits >= least_visits, FALSE)
$$;
