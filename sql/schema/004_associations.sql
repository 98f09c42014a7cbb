-- purpose: one target, many names: which objects of which surveys a target is, its name, and what a person decided
-- makes: association, association_question, association_log, name_counter; the functions declination_zone,
--        great_circle_arcsec, tides_name, kept_target, settle_chains, target_facts, judge_targets; columns of
--        tides_master, which loses its magnitudes: those of a survey stay with its object
-- units: angles in degrees (ICRS), epochs in MJD (UTC), magnitudes as the survey gives them, separations in arcsec

-- Strips of declination, 3.6 arcsec high: what lies within as much is in the same strip or the next.
CREATE FUNCTION declination_zone(decl double precision) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT floor(decl * 1000)::integer
$$;

CREATE TABLE association (
    survey text NOT NULL,
    object_id text NOT NULL,
    tides_id bigint NOT NULL REFERENCES tides_master,
    match_ra double precision NOT NULL CHECK (match_ra >= 0 AND match_ra < 360),
    match_decl double precision NOT NULL CHECK (match_decl BETWEEN -90 AND 90),
    match_zone integer NOT NULL GENERATED ALWAYS AS (declination_zone(match_decl)) STORED,
    separation_arcsec double precision NOT NULL,
    how text NOT NULL CHECK (how IN ('first', 'position', 'merge', 'split')),
    associated_at timestamptz NOT NULL DEFAULT now(),
    ra double precision NOT NULL CHECK (ra >= 0 AND ra < 360),
    decl double precision NOT NULL CHECK (decl BETWEEN -90 AND 90),
    first_detection_mjd double precision NOT NULL,
    last_detection_mjd double precision NOT NULL,
    n_detections integer NOT NULL,
    sherlock_class text,
    u_latest_mag double precision,
    u_latest_mjd double precision,
    u_brightest_mag double precision,
    u_brightest_mjd double precision,
    g_latest_mag double precision,
    g_latest_mjd double precision,
    g_brightest_mag double precision,
    g_brightest_mjd double precision,
    r_latest_mag double precision,
    r_latest_mjd double precision,
    r_brightest_mag double precision,
    r_brightest_mjd double precision,
    i_latest_mag double precision,
    i_latest_mjd double precision,
    i_brightest_mag double precision,
    i_brightest_mjd double precision,
    z_latest_mag double precision,
    z_latest_mjd double precision,
    z_brightest_mag double precision,
    z_brightest_mjd double precision,
    y_latest_mag double precision,
    y_latest_mjd double precision,
    y_brightest_mag double precision,
    y_brightest_mjd double precision,
    PRIMARY KEY (survey, object_id)
);

COMMENT ON TABLE association IS 'which target each object of a survey is, and what that survey knows of it';
COMMENT ON COLUMN association.match_ra IS 'where others are matched to it: it stays, so that no target drifts';
COMMENT ON COLUMN association.ra IS 'of its newest detection';
COMMENT ON COLUMN association.separation_arcsec IS 'from the nearest object of the target when it was associated';
COMMENT ON COLUMN association.how IS 'the first of its target, by position, or by tides merge or tides split';

CREATE INDEX association_target ON association (tides_id);
-- Positional questions: a strip in declination first, the exact great circle within it.
CREATE INDEX association_zone ON association (match_zone);
CREATE INDEX association_object ON association (object_id);

-- An update that changes nothing is none.
CREATE TRIGGER a_suppress_redundant_updates BEFORE UPDATE ON association
FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();

-- Until now each object was a target. Its name is known at 4MOST and stays.
INSERT INTO association (
    survey,
    object_id,
    tides_id,
    match_ra,
    match_decl,
    separation_arcsec,
    how,
    associated_at,
    ra,
    decl,
    first_detection_mjd,
    last_detection_mjd,
    n_detections,
    sherlock_class,
    u_latest_mag,
    u_latest_mjd,
    u_brightest_mag,
    u_brightest_mjd,
    g_latest_mag,
    g_latest_mjd,
    g_brightest_mag,
    g_brightest_mjd,
    r_latest_mag,
    r_latest_mjd,
    r_brightest_mag,
    r_brightest_mjd,
    i_latest_mag,
    i_latest_mjd,
    i_brightest_mag,
    i_brightest_mjd,
    z_latest_mag,
    z_latest_mjd,
    z_brightest_mag,
    z_brightest_mjd,
    y_latest_mag,
    y_latest_mjd,
    y_brightest_mag,
    y_brightest_mjd
)
SELECT
    tides_master.survey,
    tides_master.object_id,
    tides_master.tides_id,
    tides_master.ra AS match_ra,
    tides_master.decl AS match_decl,
    0 AS separation_arcsec,
    'first' AS how,
    tides_master.created_at,
    tides_master.ra,
    tides_master.decl,
    tides_master.first_detection_mjd,
    tides_master.last_detection_mjd,
    tides_master.n_detections,
    tides_master.sherlock_class,
    tides_master.u_latest_mag,
    tides_master.u_latest_mjd,
    tides_master.u_brightest_mag,
    tides_master.u_brightest_mjd,
    tides_master.g_latest_mag,
    tides_master.g_latest_mjd,
    tides_master.g_brightest_mag,
    tides_master.g_brightest_mjd,
    tides_master.r_latest_mag,
    tides_master.r_latest_mjd,
    tides_master.r_brightest_mag,
    tides_master.r_brightest_mjd,
    tides_master.i_latest_mag,
    tides_master.i_latest_mjd,
    tides_master.i_brightest_mag,
    tides_master.i_brightest_mjd,
    tides_master.z_latest_mag,
    tides_master.z_latest_mjd,
    tides_master.z_brightest_mag,
    tides_master.z_brightest_mjd,
    tides_master.y_latest_mag,
    tides_master.y_latest_mjd,
    tides_master.y_brightest_mag,
    tides_master.y_brightest_mjd
FROM tides_master;

ALTER TABLE tides_master
DROP COLUMN u_latest_mag,
DROP COLUMN u_latest_mjd,
DROP COLUMN u_brightest_mag,
DROP COLUMN u_brightest_mjd,
DROP COLUMN g_latest_mag,
DROP COLUMN g_latest_mjd,
DROP COLUMN g_brightest_mag,
DROP COLUMN g_brightest_mjd,
DROP COLUMN r_latest_mag,
DROP COLUMN r_latest_mjd,
DROP COLUMN r_brightest_mag,
DROP COLUMN r_brightest_mjd,
DROP COLUMN i_latest_mag,
DROP COLUMN i_latest_mjd,
DROP COLUMN i_brightest_mag,
DROP COLUMN i_brightest_mjd,
DROP COLUMN z_latest_mag,
DROP COLUMN z_latest_mjd,
DROP COLUMN z_brightest_mag,
DROP COLUMN z_brightest_mjd,
DROP COLUMN y_latest_mag,
DROP COLUMN y_latest_mjd,
DROP COLUMN y_brightest_mag,
DROP COLUMN y_brightest_mjd;

-- An object that is split off is the first of a new target, and may have been that of another one before.
ALTER TABLE tides_master DROP CONSTRAINT tides_master_survey_object_id_key;
ALTER TABLE tides_master
ADD COLUMN merged_into bigint REFERENCES tides_master CHECK (merged_into <> tides_id),
ADD COLUMN lent_spectrum boolean NOT NULL DEFAULT FALSE;

COMMENT ON TABLE tides_master IS 'every target: a place where an object satisfied a selection function';
COMMENT ON COLUMN tides_master.survey IS 'of the object that was reported first';
COMMENT ON COLUMN tides_master.object_id IS 'of the object that was reported first';
COMMENT ON COLUMN tides_master.inactive_reason IS 'why it is switched off: unseen, faint, spectrum or merged';
COMMENT ON COLUMN tides_master.merged_into IS 'the target that has its objects now, by tides merge';
COMMENT ON COLUMN tides_master.lent_spectrum IS 'has_spectrum for those merged into it only: a split takes it back';

-- The places are those of association now.
DROP INDEX tides_master_decl;
CREATE UNIQUE INDEX tides_master_name ON tides_master (name);
CREATE INDEX tides_master_merged ON tides_master (merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE association_question (
    question_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    survey text NOT NULL,
    object_id text NOT NULL,
    tides_id bigint NOT NULL REFERENCES tides_master,
    separation_arcsec double precision NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT now(),
    answered_at timestamptz,
    answer text CHECK (answer IN ('merged', 'apart')),
    CHECK ((answered_at IS NULL) = (answer IS NULL)),
    UNIQUE (survey, object_id, tides_id),
    FOREIGN KEY (survey, object_id) REFERENCES association
);

COMMENT ON TABLE association_question IS 'an object so near to another target that a person must say whether';

CREATE INDEX association_question_target ON association_question (tides_id);

CREATE TABLE association_log (
    log_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    action text NOT NULL CHECK (action IN ('merge', 'split', 'apart')),
    survey text NOT NULL,
    object_id text NOT NULL,
    from_tides_id bigint NOT NULL REFERENCES tides_master,
    to_tides_id bigint NOT NULL REFERENCES tides_master,
    reason text NOT NULL,
    who text NOT NULL,
    logged_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

COMMENT ON TABLE association_log IS 'what a person decided about targets, a row an object: only added to';

CREATE INDEX association_log_from ON association_log (from_tides_id);
CREATE INDEX association_log_to ON association_log (to_tides_id);

CREATE TRIGGER association_log_is_kept BEFORE UPDATE OR DELETE ON association_log
FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE name_counter (
    year integer PRIMARY KEY,
    used bigint NOT NULL
);

COMMENT ON TABLE name_counter IS 'how many names of each year were given: counted with the target, so without gaps';

-- The number-th name of a year, from 1 on: TiDES26aaa ... TiDES26zzz, then TiDES26aaaa ...
CREATE FUNCTION tides_name(year integer, number bigint) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    rest bigint := number - 1;
    letters integer := 3;
    word text := '';
BEGIN
    WHILE rest >= 26::numeric ^ letters LOOP
        rest := rest - 26::numeric ^ letters;
        letters := letters + 1;
    END LOOP;
    FOR place IN 1..letters LOOP
        word := chr(ascii('a') + (rest %% 26)::integer) || word;
        rest := rest / 26;
    END LOOP;
    RETURN 'TiDES' || lpad((year %% 100)::text, 2, '0') || word;
END
$$;

-- The target that has the objects of this one now: itself, if it was not merged into another.
CREATE FUNCTION kept_target(of_tides_id bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    WITH RECURSIVE chain AS (
        SELECT
            tides_master.tides_id,
            tides_master.merged_into
        FROM tides_master
        WHERE tides_master.tides_id = of_tides_id
        UNION ALL
        SELECT
            tides_master.tides_id,
            tides_master.merged_into
        FROM chain
        INNER JOIN tides_master ON chain.merged_into = tides_master.tides_id
    )

    SELECT chain.tides_id
    FROM chain
    WHERE chain.merged_into IS NULL
$$;

-- The angle between two places [arcsec], by haversines: good at all angles, at the poles and over 0 h.
CREATE FUNCTION great_circle_arcsec(
    ra double precision, decl double precision, other_ra double precision, other_decl double precision
) RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT 3600 * 2 * asind(least(1, sqrt(
        sind((decl - other_decl) / 2) ^ 2 + cosd(decl) * cosd(other_decl) * sind((ra - other_ra) / 2) ^ 2
    )))
$$;

-- Give the objects of a batch that are left their target, one after another, as each may be matched to an earlier one
-- that is the founder of no target itself. Gives their number.
CREATE FUNCTION settle_chains(match_radius_arcsec double precision) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    mine integer;
    settled bigint := 0;
BEGIN
    FOR mine IN
        SELECT new_object.number FROM new_object WHERE new_object.tides_id IS NULL ORDER BY new_object.number
    LOOP
        UPDATE new_object
        SET
            tides_id = nearest.tides_id,
            separation_arcsec = nearest.separation_arcsec,
            how = 'position'
        FROM (
            SELECT
                coalesce(neighbour.tides_id, earlier.tides_id) AS tides_id,
                neighbour.separation_arcsec
            FROM neighbour
            LEFT JOIN new_object AS earlier ON neighbour.earlier = earlier.number
            WHERE neighbour.number = mine AND neighbour.separation_arcsec <= match_radius_arcsec
            ORDER BY neighbour.separation_arcsec, coalesce(neighbour.tides_id, earlier.tides_id)
            LIMIT 1
        ) AS nearest
        WHERE new_object.number = mine;
        settled := settled + 1;
    END LOOP;
    RETURN settled;
END
$$;

-- What a target is by its objects: place and class of the newest that has one, the whole time seen, all detections.
CREATE FUNCTION target_facts(tides_ids bigint[]) RETURNS TABLE (
    tides_id bigint,
    ra double precision,
    decl double precision,
    first_detection_mjd double precision,
    last_detection_mjd double precision,
    n_detections integer,
    sherlock_class text
) LANGUAGE sql STABLE AS $$
    SELECT
        object.tides_id,
        (array_agg(object.ra ORDER BY object.last_detection_mjd DESC, object.survey, object.object_id))[1],
        (array_agg(object.decl ORDER BY object.last_detection_mjd DESC, object.survey, object.object_id))[1],
        min(object.first_detection_mjd),
        max(object.last_detection_mjd),
        sum(object.n_detections)::integer,
        (
            array_agg(object.sherlock_class ORDER BY object.last_detection_mjd DESC, object.survey, object.object_id)
            FILTER (WHERE object.sherlock_class IS NOT NULL)
        )[1]
    FROM unnest(tides_ids) AS asked (tides_id)
    INNER JOIN association AS object ON asked.tides_id = object.tides_id
    GROUP BY object.tides_id
$$;

-- Why each of these is no target now, NULL if it is one. For each band counts the newest magnitude that any survey has,
-- of equally new ones the brightest; faint limits come in the order u g r i z y.
CREATE FUNCTION judge_targets(
    tides_ids bigint[],
    now_mjd double precision,
    deactivate_after_days double precision,
    faint_limits double precision[]
) RETURNS TABLE (tides_id bigint, reason text) LANGUAGE sql STABLE AS $$
    WITH latest AS (
        SELECT
            tides_master.tides_id,
            ARRAY[
            -(max(ARRAY[association.u_latest_mjd, -association.u_latest_mag]) FILTER (WHERE association.u_latest_mag IS NOT NULL))[2],
            -(max(ARRAY[association.g_latest_mjd, -association.g_latest_mag]) FILTER (WHERE association.g_latest_mag IS NOT NULL))[2],
            -(max(ARRAY[association.r_latest_mjd, -association.r_latest_mag]) FILTER (WHERE association.r_latest_mag IS NOT NULL))[2],
            -(max(ARRAY[association.i_latest_mjd, -association.i_latest_mag]) FILTER (WHERE association.i_latest_mag IS NOT NULL))[2],
            -(max(ARRAY[association.z_latest_mjd, -association.z_latest_mag]) FILTER (WHERE association.z_latest_mag IS NOT NULL))[2],
            -(max(ARRAY[association.y_latest_mjd, -association.y_latest_mag]) FILTER (WHERE association.y_latest_mag IS NOT NULL))[2]
            ] AS mags
        FROM unnest(tides_ids) AS asked (tides_id)
        INNER JOIN tides_master ON asked.tides_id = tides_master.tides_id
        LEFT JOIN association ON tides_master.tides_id = association.tides_id
        GROUP BY tides_master.tides_id
    )

    SELECT
        tides_master.tides_id,
        CASE WHEN tides_master.merged_into IS NOT NULL THEN 'merged' ELSE inactive_reason(
            tides_master.has_spectrum,
            tides_master.last_detection_mjd,
            latest.mags,
            now_mjd,
            deactivate_after_days,
            faint_limits
        ) END AS reason
    FROM latest
    INNER JOIN tides_master ON latest.tides_id = tides_master.tides_id
$$;

-- Targets of before that lie within 2 arcsec: whether they are one is for a person to say, as both may be at 4MOST.
INSERT INTO association_question (survey, object_id, tides_id, separation_arcsec)
SELECT
    later.survey,
    later.object_id,
    earlier.tides_id,
    great_circle_arcsec(later.match_ra, later.match_decl, earlier.match_ra, earlier.match_decl)
FROM association AS later
INNER JOIN association AS earlier
    ON
        earlier.match_zone IN (later.match_zone - 1, later.match_zone, later.match_zone + 1)
        AND earlier.tides_id < later.tides_id
WHERE great_circle_arcsec(later.match_ra, later.match_decl, earlier.match_ra, earlier.match_decl) <= 2;
