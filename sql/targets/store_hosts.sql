-- purpose: keep what a source takes for the hosts of some objects, in the place of what it took before
-- params: objects jsonb (list of survey, object_id and source, of which all was found), candidates jsonb (list of
--         survey, object_id, source, rank, catalogue, name, ra, decl, separation, radii, probability, redshift,
--         redshift_error, redshift_kind, mag, mag_type)

-- The plans of host_of are made while there are few galaxies, and kept for many.
SET LOCAL enable_seqscan = off;

CREATE TEMPORARY TABLE found_host ON COMMIT DROP AS
SELECT
    entry.survey,
    entry.object_id,
    entry.source,
    entry.rank,
    entry.separation,
    entry.radii,
    entry.probability,
    host_of(
        entry.catalogue, entry.name, entry.ra, entry.decl, entry.redshift, entry.redshift_error, entry.redshift_kind,
        entry.mag, entry.mag_type
    ) AS host_id
FROM jsonb_to_recordset(%(candidates)s::jsonb) AS entry (
        survey text,
        object_id text,
        source text,
        rank integer,
        catalogue text,
        name text,
        ra double precision,
        decl double precision,
        separation double precision,
        radii double precision,
        probability double precision,
        redshift double precision,
        redshift_error double precision,
        redshift_kind text,
        mag double precision,
        mag_type text
    );

SET LOCAL enable_seqscan = on;

DELETE FROM host_candidate
USING jsonb_to_recordset(%(objects)s::jsonb) AS looked (survey text, object_id text, source text)
WHERE
    host_candidate.survey = looked.survey
    AND host_candidate.object_id = looked.object_id
    AND host_candidate.source = looked.source
    AND NOT EXISTS (
        SELECT
        FROM found_host
        WHERE
            found_host.survey = host_candidate.survey
            AND found_host.object_id = host_candidate.object_id
            AND found_host.source = host_candidate.source
            AND found_host.rank = host_candidate.rank
    );

INSERT INTO host_candidate AS kept (
    survey, object_id, source, rank, host_id, separation_arcsec, radii, probability
)
SELECT
    found_host.survey,
    found_host.object_id,
    found_host.source,
    found_host.rank,
    found_host.host_id,
    found_host.separation,
    found_host.radii,
    found_host.probability
FROM found_host
ON CONFLICT (object_id, survey, source, rank) DO UPDATE
SET
    host_id = excluded.host_id,
    separation_arcsec = excluded.separation_arcsec,
    radii = excluded.radii,
    probability = excluded.probability,
    stored_at = clock_timestamp()
WHERE
    (kept.host_id, kept.separation_arcsec, kept.radii, kept.probability)
    IS DISTINCT FROM (excluded.host_id, excluded.separation_arcsec, excluded.radii, excluded.probability);

DROP TABLE found_host;
