-- purpose: keep the galaxies that targets may lie in, each once, whatever number of targets point to it
-- needs: tides_master, association, annotation, great_circle_arcsec
-- makes: host, host_candidate, host_look; the functions host_of, hosts_of_targets; an index of annotation
-- units: angles in degrees (ICRS), separations in arcsec

CREATE TABLE host (
    host_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    catalogue text,
    catalogue_name text,
    ra double precision CHECK (ra >= 0 AND ra < 360),
    decl double precision CHECK (decl BETWEEN -90 AND 90),
    redshift double precision,
    redshift_error double precision,
    redshift_kind text CHECK (redshift_kind IN ('spectroscopic', 'photometric')),
    mag double precision,
    mag_type text,
    known_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (catalogue, catalogue_name),
    CHECK ((catalogue_name IS NULL) OR (catalogue IS NOT NULL)),
    CHECK ((ra IS NULL) = (decl IS NULL)),
    CHECK (catalogue_name IS NOT NULL OR ra IS NOT NULL),
    CHECK ((mag IS NULL) = (mag_type IS NULL))
);

COMMENT ON TABLE host IS 'galaxies in which targets may lie: one row each, by catalogue and name, else by place';
COMMENT ON COLUMN host.mag_type IS 'SURVEY_band_SYSTEM of its magnitude';

CREATE INDEX host_decl ON host (decl);

CREATE TRIGGER a_suppress_redundant_updates BEFORE UPDATE ON host
FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();

CREATE TABLE host_candidate (
    survey text NOT NULL,
    object_id text NOT NULL,
    source text NOT NULL,
    rank integer NOT NULL CHECK (rank > 0),
    host_id bigint NOT NULL REFERENCES host,
    separation_arcsec double precision,
    radii double precision,
    probability double precision,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (object_id, survey, source, rank)
);

COMMENT ON TABLE host_candidate IS 'what each source takes for the host of an object now, the likeliest first';
COMMENT ON COLUMN host_candidate.radii IS 'separation in directional light radii';

CREATE INDEX host_candidate_host ON host_candidate (host_id);

CREATE TABLE host_look (
    is_only boolean PRIMARY KEY DEFAULT TRUE CHECK (is_only),
    annotation_id bigint NOT NULL
);

COMMENT ON TABLE host_look IS 'one row: annotations until this one were looked at for hosts';

-- The galaxy of a catalogue and name, else that within an arcsecond; it is made if there is none. What is said of it
-- adds to what is known, and a spectroscopic redshift stands before a photometric one.
CREATE FUNCTION host_of(
    of_catalogue text,
    of_name text,
    at_ra double precision,
    at_decl double precision,
    its_redshift double precision,
    its_error double precision,
    its_kind text,
    its_mag double precision,
    its_mag_type text
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    found_id bigint;
BEGIN
    SELECT host.host_id INTO found_id
    FROM host
    WHERE host.catalogue = of_catalogue AND host.catalogue_name = of_name;
    IF found_id IS NULL AND at_ra IS NOT NULL THEN
        SELECT host.host_id INTO found_id
        FROM host
        WHERE
            host.decl BETWEEN at_decl - 1 / 3600.0 AND at_decl + 1 / 3600.0
            AND great_circle_arcsec(host.ra, host.decl, at_ra, at_decl) <= 1
            AND (host.catalogue_name IS NULL OR of_name IS NULL OR host.catalogue <> of_catalogue)
        ORDER BY great_circle_arcsec(host.ra, host.decl, at_ra, at_decl), host.host_id
        LIMIT 1;
    END IF;
    IF found_id IS NULL THEN
        INSERT INTO host (catalogue, catalogue_name, ra, decl)
        VALUES (of_catalogue, of_name, at_ra, at_decl)
        RETURNING host_id INTO found_id;
    END IF;
    UPDATE host
    SET
        catalogue = CASE WHEN host.catalogue_name IS NULL THEN of_catalogue ELSE host.catalogue END,
        catalogue_name = coalesce(host.catalogue_name, of_name),
        ra = coalesce(host.ra, at_ra),
        decl = coalesce(host.decl, at_decl),
        mag = coalesce(host.mag, its_mag),
        mag_type = coalesce(host.mag_type, its_mag_type)
    WHERE host.host_id = found_id;
    UPDATE host
    SET
        redshift = its_redshift,
        redshift_error = its_error,
        redshift_kind = its_kind
    WHERE
        host.host_id = found_id
        AND its_redshift IS NOT NULL
        AND (host.redshift IS NULL OR (host.redshift_kind = 'photometric' AND its_kind = 'spectroscopic'));
    RETURN found_id;
END
$$;

-- Up to three hosts of each target, the likeliest first: what a catalogue was searched for stands before what Sherlock
-- says, and that before others.
CREATE FUNCTION hosts_of_targets(tides_ids bigint[]) RETURNS TABLE (
    tides_id bigint, place bigint, host_id bigint, separation_arcsec double precision, radii double precision,
    probability double precision, sources text
) LANGUAGE sql STABLE AS $$
    WITH known AS (
        SELECT
            association.tides_id,
            candidate.host_id,
            min(
                array_position(ARRAY['catalogue', 'sherlock', 'elasticc', 'fink'], split_part(candidate.source, ':', 1))
                * 100 + candidate.rank
            ) AS order_of,
            min(candidate.separation_arcsec) AS separation_arcsec,
            min(candidate.radii) AS radii,
            max(candidate.probability) AS probability,
            string_agg(DISTINCT candidate.source, ', ' ORDER BY candidate.source) AS sources
        FROM unnest(tides_ids) AS asked (tides_id)
        INNER JOIN association ON asked.tides_id = association.tides_id
        INNER JOIN host_candidate AS candidate
            ON association.object_id = candidate.object_id AND association.survey = candidate.survey
        GROUP BY association.tides_id, candidate.host_id
    ),

    placed AS (
        SELECT
            known.*,
            row_number() OVER (
                PARTITION BY known.tides_id
                ORDER BY known.order_of ASC NULLS LAST, known.separation_arcsec ASC NULLS LAST, known.host_id ASC
            ) AS place
        FROM known
    )

    SELECT
        placed.tides_id,
        placed.place,
        placed.host_id,
        placed.separation_arcsec,
        placed.radii,
        placed.probability,
        placed.sources
    FROM placed
    WHERE placed.place <= 3
$$;

CREATE INDEX annotation_host ON annotation (annotation_id)
WHERE name IN ('sherlock.host', 'elasticc.host_ra', 'elasticc.host2_ra', 'mangrove.name');
