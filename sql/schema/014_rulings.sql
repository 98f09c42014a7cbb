-- purpose: what people decide of targets and objects stays decided, whatever runs, alerts, merges and splits come after
-- needs: association
-- makes: ruling, ruling_subject; the view ruling_in_force; the functions ends_ruling, state_reason, ruled_targets,
--        time_of_mjd

CREATE TABLE ruling (
    ruling_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('veto', 'force', 'hold', 'comment', 'tag', 'release')),
    named text NOT NULL,
    tides_id bigint REFERENCES tides_master,
    survey text,
    object_id text,
    tag text,
    only_kind text CHECK (only_kind IN ('veto', 'force', 'hold')),
    reason text NOT NULL CHECK (reason <> ''),
    who text NOT NULL,
    source text NOT NULL CHECK (source IN ('person', '4most')),
    until timestamptz,
    ruled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((tides_id IS NULL) <> (object_id IS NULL)),
    CHECK ((survey IS NULL) = (object_id IS NULL)),
    CHECK (tag IS NOT NULL OR kind <> 'tag'),
    CHECK (tag IS NULL OR kind IN ('tag', 'release'))
);

COMMENT ON TABLE ruling IS 'what was decided of a target or an object, by whom, why and until when: only added to';
COMMENT ON COLUMN ruling.named IS 'how it was named then: by a name of the target, or by an object';
COMMENT ON COLUMN ruling.tides_id IS 'the target; NULL for an object that was no target';
COMMENT ON COLUMN ruling.tag IS 'of a tag, or of a release that takes a tag away';
COMMENT ON COLUMN ruling.only_kind IS 'what a release ends: NULL for veto, force and hold';
COMMENT ON COLUMN ruling.source IS '4most for a row that was switched off there by somebody else: a person is asked';

CREATE TRIGGER ruling_is_kept BEFORE UPDATE OR DELETE ON ruling
FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- On what a ruling lies. One of a target lies on the target, on those merged into it and on all its objects of then:
-- so it goes with them through merges and splits, and to the target that an object becomes.
CREATE TABLE ruling_subject (
    ruling_id bigint NOT NULL REFERENCES ruling,
    kind text NOT NULL,
    tag text,
    until timestamptz,
    tides_id bigint REFERENCES tides_master,
    survey text,
    object_id text,
    ended_by bigint REFERENCES ruling,
    CHECK ((tides_id IS NULL) <> (object_id IS NULL)),
    CHECK ((survey IS NULL) = (object_id IS NULL)),
    UNIQUE NULLS NOT DISTINCT (ruling_id, tides_id, survey, object_id)
);

COMMENT ON TABLE ruling_subject IS 'on what each ruling lies, and which later one has ended it there';
COMMENT ON COLUMN ruling_subject.ended_by IS 'a release, or a newer ruling of the same kind';

CREATE INDEX ruling_subject_target ON ruling_subject (tides_id) WHERE tides_id IS NOT NULL;
CREATE INDEX ruling_subject_object ON ruling_subject (object_id, survey) WHERE object_id IS NOT NULL;
CREATE INDEX ruling_subject_switches ON ruling_subject (kind) INCLUDE (tides_id, survey, object_id, until)
WHERE ended_by IS NULL AND kind IN ('veto', 'force', 'hold');

-- Whether a ruling ends an earlier one on the same target or object: one of the same kind takes its place, comments
-- stay beside each other, and a release ends what it is for.
CREATE FUNCTION ends_ruling(
    later_kind text, later_tag text, only_kind text, earlier_kind text, earlier_tag text
) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN later_kind = 'release' AND later_tag IS NOT NULL THEN earlier_kind = 'tag' AND earlier_tag = later_tag
        WHEN later_kind = 'release'
            THEN earlier_kind IN ('veto', 'force', 'hold') AND earlier_kind = coalesce(only_kind, earlier_kind)
        WHEN later_kind = 'comment' THEN FALSE
        ELSE earlier_kind = later_kind AND earlier_tag IS NOT DISTINCT FROM later_tag
    END
$$;

-- Why a target is off, NULL if it is on: the one place that says which of all that is known of it comes first.
CREATE FUNCTION state_reason(
    is_merged boolean, is_vetoed boolean, has_spectrum boolean, is_held boolean, is_forced boolean, by_rules text
) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN is_merged THEN 'merged'
        WHEN is_vetoed THEN 'veto'
        WHEN has_spectrum THEN 'spectrum'
        WHEN is_held THEN 'hold'
        WHEN is_forced THEN NULL
        ELSE by_rules
    END
$$;

-- Every target and every ruling that lies on it, by itself or by one of its objects, and was not ended there. One that
-- is past its date is among them: the clock is that of who asks.
CREATE VIEW ruling_in_force AS
SELECT
    lying.tides_id,
    lying.ruling_id,
    lying.kind,
    lying.tag,
    lying.until
FROM (
    SELECT
        ruling_subject.tides_id,
        ruling_subject.ruling_id,
        ruling_subject.kind,
        ruling_subject.tag,
        ruling_subject.until
    FROM ruling_subject
    WHERE ruling_subject.tides_id IS NOT NULL AND ruling_subject.ended_by IS NULL
    UNION ALL
    SELECT
        association.tides_id,
        ruling_subject.ruling_id,
        ruling_subject.kind,
        ruling_subject.tag,
        ruling_subject.until
    FROM ruling_subject
    INNER JOIN association
        ON ruling_subject.object_id = association.object_id AND ruling_subject.survey = association.survey
    WHERE ruling_subject.object_id IS NOT NULL AND ruling_subject.ended_by IS NULL
) AS lying;

COMMENT ON VIEW ruling_in_force IS 'the rulings on each target that were not ended; the same one may come twice';

-- What people have decided of targets at a time: a row for each of them that a ruling switches.
CREATE FUNCTION ruled_targets(tides_ids bigint[], at timestamptz) RETURNS TABLE (
    tides_id bigint, is_vetoed boolean, is_held boolean, is_forced boolean, forced_until timestamptz
) LANGUAGE sql STABLE AS $$
    SELECT
        lying.tides_id,
        bool_or(lying.kind = 'veto'),
        bool_or(lying.kind = 'hold'),
        bool_or(lying.kind = 'force'),
        max(lying.until) FILTER (WHERE lying.kind = 'force')
    FROM ruling_in_force AS lying
    WHERE
        lying.kind IN ('veto', 'force', 'hold')
        AND (lying.until IS NULL OR lying.until > at)
        AND lying.tides_id = ANY(tides_ids)
    GROUP BY lying.tides_id
$$;

-- The time of an epoch [MJD, UTC].
CREATE FUNCTION time_of_mjd(mjd double precision) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_timestamp((mjd - 40587) * 86400)
$$;
