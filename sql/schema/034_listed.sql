-- purpose: keep a row a target of all that lists show, sort by and filter by, so that no page reads more
-- needs: change_4most and its triggers, ruling_in_force, target_class, hosts_of_targets
-- makes: listed_target, change_listed, the sequence listed_change; the functions list_anew, settle_listed, words_of,
--        filter_listed; triggers
-- units: angles in degrees (ICRS), epochs in MJD (UTC), magnitudes AB, separations in arcsec

CREATE TABLE listed_target (
    tides_id bigint PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    survey text NOT NULL,
    object_id text NOT NULL,
    surveys text[] NOT NULL,
    objects text[] NOT NULL,
    ra double precision NOT NULL,
    decl double precision NOT NULL,
    state text COLLATE "C" NOT NULL,
    merged_into text,
    selection_function text COLLATE "C" NOT NULL,
    sherlock_class text COLLATE "C",
    type text COLLATE "C",
    redshift double precision,
    first_detection_mjd double precision NOT NULL,
    last_detection_mjd double precision NOT NULL,
    n_detections integer NOT NULL,
    mag double precision,
    mag_band text,
    mag_mjd double precision,
    tonight_mag double precision,
    tonight_band text,
    tonight_mjd double precision,
    rulings text[] NOT NULL,
    tags text[] NOT NULL,
    host_name text,
    host_redshift double precision,
    host_separation double precision,
    has_spectrum boolean NOT NULL,
    pk_4most bigint,
    ostd_targ_id bigint,
    ostd_u_obj_id bigint,
    date_ingested timestamptz,
    refused_4most text,
    created_at timestamptz NOT NULL,
    looked_at timestamptz,
    change bigint NOT NULL
);

COMMENT ON TABLE listed_target IS 'a row a target, of all that lists show: written by settle_listed alone';
COMMENT ON COLUMN listed_target.object_id IS 'of the object that was reported first, as is survey';
COMMENT ON COLUMN listed_target.objects IS 'survey and name of each object that it is';
COMMENT ON COLUMN listed_target.state IS 'active, or why it is off';
COMMENT ON COLUMN listed_target.type IS 'by its spectra, as is redshift';
COMMENT ON COLUMN listed_target.mag IS 'of its newest detection, and the survey and band, and the epoch of that';
COMMENT ON COLUMN listed_target.tonight_mag IS 'the brightest that is expected in a band on the night of tonight_mjd';
COMMENT ON COLUMN listed_target.rulings IS 'of veto, hold, force and comment those in force';
COMMENT ON COLUMN listed_target.host_name IS 'of its likeliest host: catalogue and name, or place';
COMMENT ON COLUMN listed_target.looked_at IS 'when the first of its rulings ends by itself';
COMMENT ON COLUMN listed_target.change IS 'grows with each change in the order in which they can be seen';

CREATE TABLE change_listed (
    change_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tides_id bigint NOT NULL
);

COMMENT ON TABLE change_listed IS 'targets of which something changed that lists show, until these are next settled';

CREATE SEQUENCE listed_change;

-- Of a target that is known, what is to be listed of it; rulings as of a time.
CREATE FUNCTION list_anew(tides_ids bigint[], at timestamptz) RETURNS SETOF listed_target LANGUAGE sql AS $$
    WITH known AS (
        SELECT
            association.tides_id,
            array_agg(DISTINCT association.survey ORDER BY association.survey) AS surveys,
            array_agg(
                association.survey || ' ' || association.object_id ORDER BY association.survey, association.object_id
            ) AS objects
        FROM association
        WHERE association.tides_id = ANY(tides_ids)
        GROUP BY association.tides_id
    ),

    measured AS (
        SELECT DISTINCT ON (association.tides_id)
            association.tides_id,
            bright.latest_mag,
            bright.survey || ' ' || bright.band AS band,
            bright.latest_mjd
        FROM association
        INNER JOIN object_brightness AS bright
            ON association.survey = bright.survey AND association.object_id = bright.object_id
        WHERE association.tides_id = ANY(tides_ids) AND bright.latest_mag IS NOT NULL
        ORDER BY
            association.tides_id ASC, bright.latest_mjd DESC NULLS LAST, bright.latest_mag ASC,
            bright.survey ASC, bright.band ASC
    ),

    tonight AS (
        SELECT DISTINCT ON (target_tonight.tides_id)
            target_tonight.tides_id,
            target_tonight.at_mjd,
            expected.mag,
            substr('ugrizy', expected.place::integer, 1) AS band
        FROM target_tonight
        CROSS JOIN LATERAL unnest(target_tonight.mags) WITH ORDINALITY AS expected (mag, place)
        WHERE target_tonight.tides_id = ANY(tides_ids) AND expected.mag IS NOT NULL
        ORDER BY target_tonight.tides_id, expected.mag, expected.place
    ),

    ruled AS (
        SELECT
            lying.tides_id,
            array_agg(DISTINCT lying.kind ORDER BY lying.kind) FILTER (WHERE lying.kind <> 'tag') AS rulings,
            array_agg(DISTINCT lying.tag ORDER BY lying.tag) FILTER (WHERE lying.kind = 'tag') AS tags,
            min(lying.until) AS until
        FROM ruling_in_force AS lying
        WHERE lying.tides_id = ANY(tides_ids) AND (lying.until IS NULL OR lying.until > at)
        GROUP BY lying.tides_id
    ),

    -- As target_class has it, of these alone.
    class AS (
        SELECT DISTINCT ON (association.tides_id)
            association.tides_id,
            said.type,
            said.redshift
        FROM association
        CROSS JOIN LATERAL (
            SELECT object_class.*
            FROM object_class
            WHERE object_class.survey = association.survey AND object_class.object_id = association.object_id
            OFFSET 0 -- else those of all targets are worked out
        ) AS said
        WHERE
            association.tides_id = ANY(tides_ids)
            AND EXISTS (
                SELECT
                FROM classification
                WHERE
                    classification.object_id = association.object_id
                    AND classification.survey = association.survey
            )
        ORDER BY
            association.tides_id ASC, said.is_human DESC, said.said_at DESC NULLS LAST,
            said.confidence DESC NULLS LAST, said.survey ASC, said.object_id ASC
    )

    SELECT
        target.tides_id,
        target.name,
        target.survey,
        target.object_id,
        coalesce(known.surveys, '{}') AS surveys,
        coalesce(known.objects, '{}') AS objects,
        target.ra,
        target.decl,
        CASE WHEN target.active THEN 'active' ELSE coalesce(target.inactive_reason, 'off') END AS state,
        kept.name AS merged_into,
        target.selection_function,
        target.sherlock_class,
        class.type,
        class.redshift,
        target.first_detection_mjd,
        target.last_detection_mjd,
        target.n_detections,
        measured.latest_mag AS mag,
        measured.band AS mag_band,
        measured.latest_mjd AS mag_mjd,
        tonight.mag AS tonight_mag,
        tonight.band AS tonight_band,
        tonight.at_mjd AS tonight_mjd,
        coalesce(ruled.rulings, '{}') AS rulings,
        coalesce(ruled.tags, '{}') AS tags,
        coalesce(
            host.catalogue || ' ' || host.catalogue_name,
            round(host.ra::numeric, 5) || ' ' || round(host.decl::numeric, 5)
        ) AS host_name,
        host.redshift AS host_redshift,
        nearest.separation_arcsec AS host_separation,
        target.has_spectrum,
        target.pk_4most,
        target.ostd_targ_id,
        target.ostd_u_obj_id,
        target.date_ingested,
        target.refused_4most,
        target.created_at,
        ruled.until AS looked_at,
        nextval('listed_change') AS change
    FROM tides_master AS target
    LEFT JOIN tides_master AS kept ON target.merged_into = kept.tides_id
    LEFT JOIN known ON target.tides_id = known.tides_id
    LEFT JOIN measured ON target.tides_id = measured.tides_id
    LEFT JOIN tonight ON target.tides_id = tonight.tides_id
    LEFT JOIN ruled ON target.tides_id = ruled.tides_id
    LEFT JOIN class ON target.tides_id = class.tides_id
    LEFT JOIN hosts_of_targets(tides_ids) AS nearest ON target.tides_id = nearest.tides_id AND nearest.place = 1
    LEFT JOIN host ON nearest.host_id = host.host_id
    WHERE target.tides_id = ANY(tides_ids)
$$;

-- Lets the rows of some targets be right again of which something changed, those first that changed first, and gives
-- how many changes that were. One after another, so that a change that can be seen has a greater number than all that
-- could be seen before: who asks for those after a number misses none.
CREATE FUNCTION settle_listed(at timestamptz, most integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    due bigint[];
    fresh listed_target[];
BEGIN
    PERFORM pg_advisory_xact_lock(0x71DE7);
    WITH taken AS (
        DELETE FROM change_listed
        WHERE
            change_listed.change_id IN (
                SELECT first_ones.change_id FROM change_listed AS first_ones ORDER BY first_ones.change_id LIMIT most
            )
        RETURNING change_listed.tides_id
    )

    SELECT array_agg(known.tides_id) INTO due
    FROM (
        SELECT taken.tides_id FROM taken
        UNION ALL
        (SELECT later.tides_id FROM listed_target AS later WHERE later.looked_at <= at LIMIT most)
    ) AS known;
    -- What was committed until now is seen: each statement looks anew.
    SELECT array_agg(anew) INTO fresh
    FROM list_anew(due, at) AS anew
    LEFT JOIN listed_target AS listed ON anew.tides_id = listed.tides_id
    WHERE to_jsonb(anew) - 'change' IS DISTINCT FROM to_jsonb(listed) - 'change';
    DELETE FROM listed_target USING unnest(fresh) AS anew WHERE listed_target.tides_id = anew.tides_id;
    INSERT INTO listed_target SELECT anew.* FROM unnest(fresh) AS anew;
    RETURN coalesce(cardinality(due), 0);
END
$$;

-- The words of a list in JSON; none where there is no list.
CREATE FUNCTION words_of(chosen jsonb, key text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array(SELECT jsonb_array_elements_text(chosen -> key))
$$;

-- The targets that satisfy all that is asked. Lists, one of which must fit: states, classes, types, functions,
-- surveys, tags, rulings, tides_ids, and names, patterns of LIKE, which all begin as names_begin. Patterns: refused,
-- host. Yes or no: has_host, has_spectrum, is_at_4most. A cone: ra, decl, radius_arcsec; its ends may be in ra_from
-- and ra_to. A box, which may lie across 0 degrees: ra_from, ra_to, decl_from, decl_to. From ... to: mag, tonight,
-- redshift. From ... and before: seen, first, new (MJD). Those that were merged are found by their state only.
-- PostgreSQL puts it into what asks: keys that are not there cost nothing.
CREATE FUNCTION filter_listed(chosen jsonb) RETURNS SETOF listed_target LANGUAGE sql STABLE AS $$
    SELECT listed.*
    FROM listed_target AS listed
    WHERE
        (
            (chosen ->> 'states' IS NULL AND listed.state <> 'merged')
            OR (chosen ->> 'states' IS NOT NULL AND listed.state = ANY(words_of(chosen, 'states')))
        )
        AND (chosen ->> 'classes' IS NULL OR listed.sherlock_class = ANY(words_of(chosen, 'classes')))
        AND (chosen ->> 'types' IS NULL OR listed.type = ANY(words_of(chosen, 'types')))
        AND (chosen ->> 'functions' IS NULL OR listed.selection_function = ANY(words_of(chosen, 'functions')))
        AND (chosen ->> 'surveys' IS NULL OR listed.surveys && words_of(chosen, 'surveys'))
        AND (chosen ->> 'tags' IS NULL OR listed.tags && words_of(chosen, 'tags'))
        AND (chosen ->> 'rulings' IS NULL OR listed.rulings && words_of(chosen, 'rulings'))
        AND (
            chosen ->> 'names' IS NULL
            OR listed.tides_id = any(array(
                SELECT named.tides_id
                FROM listed_target AS named
                WHERE named.name LIKE chosen ->> 'names_begin' AND named.name LIKE any(words_of(chosen, 'names'))
                UNION ALL
                SELECT association.tides_id
                FROM association
                WHERE
                    association.object_id LIKE chosen ->> 'names_begin'
                    AND association.object_id LIKE any(words_of(chosen, 'names'))
            ))
        )
        AND (chosen ->> 'tides_ids' IS NULL OR listed.tides_id = any(words_of(chosen, 'tides_ids')::bigint[]))
        AND (chosen ->> 'refused' IS NULL OR listed.refused_4most LIKE chosen ->> 'refused')
        AND (chosen ->> 'host' IS NULL OR listed.host_name LIKE chosen ->> 'host')
        AND (chosen ->> 'has_host' IS NULL OR (listed.host_name IS NOT NULL) = (chosen ->> 'has_host')::boolean)
        AND (chosen ->> 'has_spectrum' IS NULL OR listed.has_spectrum = (chosen ->> 'has_spectrum')::boolean)
        AND (chosen ->> 'is_at_4most' IS NULL OR (listed.pk_4most IS NOT NULL) = (chosen ->> 'is_at_4most')::boolean)
        AND (
            chosen ->> 'radius_arcsec' IS NULL
            OR (
                listed.decl BETWEEN
                (chosen ->> 'decl')::double precision - (chosen ->> 'radius_arcsec')::double precision / 3600
                AND (chosen ->> 'decl')::double precision + (chosen ->> 'radius_arcsec')::double precision / 3600
                AND great_circle_arcsec(
                    listed.ra,
                    listed.decl,
                    (chosen ->> 'ra')::double precision,
                    (chosen ->> 'decl')::double precision
                ) <= (chosen ->> 'radius_arcsec')::double precision
            )
        )
        AND CASE
            WHEN chosen ->> 'ra_from' IS NULL THEN TRUE
            WHEN (chosen ->> 'ra_from')::double precision <= (chosen ->> 'ra_to')::double precision
                THEN
                    listed.ra BETWEEN (chosen ->> 'ra_from')::double precision
                    AND (chosen ->> 'ra_to')::double precision
            ELSE
                listed.ra >= (chosen ->> 'ra_from')::double precision
                OR listed.ra <= (chosen ->> 'ra_to')::double precision
        END
        AND (chosen ->> 'decl_from' IS NULL OR listed.decl >= (chosen ->> 'decl_from')::double precision)
        AND (chosen ->> 'decl_to' IS NULL OR listed.decl <= (chosen ->> 'decl_to')::double precision)
        AND (chosen ->> 'mag_from' IS NULL OR listed.mag >= (chosen ->> 'mag_from')::double precision)
        AND (chosen ->> 'mag_to' IS NULL OR listed.mag <= (chosen ->> 'mag_to')::double precision)
        AND (chosen ->> 'tonight_from' IS NULL OR listed.tonight_mag >= (chosen ->> 'tonight_from')::double precision)
        AND (chosen ->> 'tonight_to' IS NULL OR listed.tonight_mag <= (chosen ->> 'tonight_to')::double precision)
        AND (chosen ->> 'redshift_from' IS NULL OR listed.redshift >= (chosen ->> 'redshift_from')::double precision)
        AND (chosen ->> 'redshift_to' IS NULL OR listed.redshift <= (chosen ->> 'redshift_to')::double precision)
        AND (chosen ->> 'seen_from' IS NULL OR listed.last_detection_mjd >= (chosen ->> 'seen_from')::double precision)
        AND (
            chosen ->> 'seen_before' IS NULL
            OR listed.last_detection_mjd < (chosen ->> 'seen_before')::double precision
        )
        AND (
            chosen ->> 'first_from' IS NULL
            OR listed.first_detection_mjd >= (chosen ->> 'first_from')::double precision
        )
        AND (
            chosen ->> 'first_before' IS NULL
            OR listed.first_detection_mjd < (chosen ->> 'first_before')::double precision
        )
        AND (
            chosen ->> 'new_from' IS NULL
            OR listed.created_at >= time_of_mjd((chosen ->> 'new_from')::double precision)
        )
        AND (
            chosen ->> 'new_before' IS NULL
            OR listed.created_at < time_of_mjd((chosen ->> 'new_before')::double precision)
        )
$$;

-- What 4MOST may have to know is listed, too; where a target was merged, also that the one it is now has another name.
CREATE FUNCTION note_listed_targets() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change_listed (tides_id)
    SELECT changed.tides_id
    FROM changed
    UNION
    SELECT merged.tides_id
    FROM changed
    INNER JOIN tides_master AS merged ON changed.tides_id = merged.merged_into;
    RETURN NULL;
END
$$;

CREATE FUNCTION note_listed_objects() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change_listed (tides_id)
    SELECT DISTINCT association.tides_id
    FROM changed
    INNER JOIN association ON changed.object_id = association.object_id AND changed.survey = association.survey;
    RETURN NULL;
END
$$;

CREATE FUNCTION note_listed_hosts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change_listed (tides_id)
    SELECT DISTINCT association.tides_id
    FROM changed
    INNER JOIN host_candidate AS candidate ON changed.host_id = candidate.host_id
    INNER JOIN association ON candidate.object_id = association.object_id AND candidate.survey = association.survey;
    RETURN NULL;
END
$$;

CREATE TRIGGER note_listed AFTER INSERT ON change_4most
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_listed_targets();
CREATE TRIGGER note_listed AFTER INSERT ON classification
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_listed_objects();
CREATE TRIGGER note_listed_inserted AFTER INSERT ON host_candidate
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_listed_objects();
CREATE TRIGGER note_listed_updated AFTER UPDATE ON host_candidate
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_listed_objects();
CREATE TRIGGER note_listed_deleted AFTER DELETE ON host_candidate
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_listed_objects();
CREATE TRIGGER note_listed AFTER UPDATE ON host
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_listed_hosts();

INSERT INTO change_listed (tides_id) SELECT tides_master.tides_id FROM tides_master;
SELECT settle_listed(now(), NULL);

CREATE UNIQUE INDEX listed_target_change ON listed_target (change);
CREATE INDEX listed_target_name ON listed_target (name, tides_id);
CREATE INDEX listed_target_state ON listed_target (state, tides_id);
CREATE INDEX listed_target_function ON listed_target (selection_function, tides_id);
CREATE INDEX listed_target_class ON listed_target (sherlock_class, tides_id);
CREATE INDEX listed_target_type ON listed_target (type, tides_id);
CREATE INDEX listed_target_place ON listed_target (decl, ra, tides_id);
CREATE INDEX listed_target_ra ON listed_target (ra, tides_id);
CREATE INDEX listed_target_seen ON listed_target (last_detection_mjd, tides_id);
CREATE INDEX listed_target_first_seen ON listed_target (first_detection_mjd, tides_id);
CREATE INDEX listed_target_detections ON listed_target ((n_detections::double precision), tides_id);
CREATE INDEX listed_target_mag ON listed_target (mag, tides_id);
CREATE INDEX listed_target_tonight ON listed_target (tonight_mag, tides_id);
CREATE INDEX listed_target_redshift ON listed_target (redshift, tides_id);
CREATE INDEX listed_target_refused ON listed_target (tides_id) WHERE refused_4most IS NOT NULL;
CREATE INDEX listed_target_spectrum ON listed_target (tides_id) WHERE has_spectrum;
CREATE INDEX listed_target_new ON listed_target (created_at);
CREATE INDEX listed_target_looked ON listed_target (looked_at) WHERE looked_at IS NOT NULL;
CREATE INDEX listed_target_host ON listed_target (host_name) WHERE host_name IS NOT NULL;
CREATE INDEX listed_target_surveys ON listed_target USING gin (surveys);
CREATE INDEX listed_target_tags ON listed_target USING gin (tags);
CREATE INDEX listed_target_rulings ON listed_target USING gin (rulings);

-- With what a search within names needs: the table is not read.
DROP INDEX association_object_begins;
CREATE INDEX association_object_begins ON association (object_id text_pattern_ops) INCLUDE (tides_id);
