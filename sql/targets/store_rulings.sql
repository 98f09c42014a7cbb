-- purpose: store what was decided of targets and objects, and lay it on them; it ends what it takes the place of
-- needs: association locked
-- params: rulings jsonb (list of number, kind, named, tides_id or survey and object_id, tag, only_kind, reason, until),
--         who text, source text
-- returns: one row a ruling that is new: ruling_id bigint, named text, tides_id bigint, survey text, object_id text,
--          has_ended boolean (an earlier one, or that columns at 4MOST are respected). One that says what is in force
--          already is none

WITH RECURSIVE given AS (
    SELECT
        told.number,
        told.kind,
        told.named,
        told.tides_id,
        told.survey,
        told.object_id,
        told.tag,
        told.only_kind,
        told.reason,
        told.until
    FROM jsonb_to_recordset(%(rulings)s::jsonb) AS told (
            number integer,
            kind text,
            named text,
            tides_id bigint,
            survey text,
            object_id text,
            tag text,
            only_kind text,
            reason text,
            until timestamptz
        )
    WHERE NOT EXISTS (
            SELECT
            FROM ruling AS earlier
            INNER JOIN ruling_subject AS lies ON earlier.ruling_id = lies.ruling_id
            WHERE
                lies.ended_by IS NULL
                AND (
                    lies.tides_id = told.tides_id
                    OR (lies.object_id = told.object_id AND lies.survey = told.survey)
                )
                AND earlier.kind = told.kind
                AND earlier.tag IS NOT DISTINCT FROM told.tag
                AND earlier.until IS NOT DISTINCT FROM told.until
                AND earlier.reason = told.reason
                AND earlier.who = %(who)s::text
                AND earlier.source = %(source)s::text
        )
),

stored AS (
    INSERT INTO ruling (kind, named, tides_id, survey, object_id, tag, only_kind, reason, who, source, until)
    SELECT
        given.kind,
        given.named,
        given.tides_id,
        given.survey,
        given.object_id,
        given.tag,
        given.only_kind,
        given.reason,
        %(who)s::text AS who,
        %(source)s::text AS source,
        given.until
    FROM given
    ORDER BY given.number
    RETURNING
        ruling.ruling_id,
        ruling.kind,
        ruling.named,
        ruling.tides_id,
        ruling.survey,
        ruling.object_id,
        ruling.tag,
        ruling.only_kind,
        ruling.until
),

-- The target, and those that were merged into it.
chain AS (
    SELECT
        stored.ruling_id,
        stored.tides_id
    FROM stored
    WHERE stored.tides_id IS NOT NULL
    UNION
    SELECT
        chain.ruling_id,
        merged.tides_id
    FROM chain
    INNER JOIN tides_master AS merged ON chain.tides_id = merged.merged_into
),

subject AS (
    SELECT
        chain.ruling_id,
        chain.tides_id,
        NULL AS survey,
        NULL AS object_id
    FROM chain
    UNION
    SELECT
        stored.ruling_id,
        NULL::bigint AS tides_id,
        association.survey,
        association.object_id
    FROM stored
    INNER JOIN association ON stored.tides_id = association.tides_id
    UNION
    SELECT
        stored.ruling_id,
        NULL::bigint AS tides_id,
        stored.survey,
        stored.object_id
    FROM stored
    WHERE stored.object_id IS NOT NULL
),

of_targets AS (
    UPDATE ruling_subject
    SET ended_by = stored.ruling_id
    FROM stored
    INNER JOIN subject ON stored.ruling_id = subject.ruling_id
    WHERE
        ruling_subject.tides_id = subject.tides_id
        AND ruling_subject.ended_by IS NULL
        AND ends_ruling(stored.kind, stored.tag, stored.only_kind, ruling_subject.kind, ruling_subject.tag)
    RETURNING ruling_subject.ended_by
),

of_objects AS (
    UPDATE ruling_subject
    SET ended_by = stored.ruling_id
    FROM stored
    INNER JOIN subject ON stored.ruling_id = subject.ruling_id
    WHERE
        ruling_subject.object_id = subject.object_id
        AND ruling_subject.survey = subject.survey
        AND ruling_subject.ended_by IS NULL
        AND ends_ruling(stored.kind, stored.tag, stored.only_kind, ruling_subject.kind, ruling_subject.tag)
    RETURNING ruling_subject.ended_by
),

-- Also the columns that somebody set at 4MOST are ours again.
unrespected AS (
    UPDATE tides_master
    SET respected_4most = NULL
    FROM stored
    WHERE
        stored.kind = 'release'
        AND stored.only_kind IS NULL
        AND stored.tag IS NULL
        AND tides_master.tides_id = stored.tides_id
        AND tides_master.respected_4most IS NOT NULL
    RETURNING stored.ruling_id AS ended_by
),

ended AS (
    SELECT of_targets.ended_by
    FROM of_targets
    UNION
    SELECT of_objects.ended_by
    FROM of_objects
    UNION
    SELECT unrespected.ended_by
    FROM unrespected
),

laid AS (
    INSERT INTO ruling_subject (ruling_id, kind, tag, until, tides_id, survey, object_id)
    SELECT
        stored.ruling_id,
        stored.kind,
        stored.tag,
        stored.until,
        subject.tides_id,
        subject.survey,
        subject.object_id
    FROM stored
    INNER JOIN subject ON stored.ruling_id = subject.ruling_id
    WHERE stored.kind <> 'release'
)

SELECT
    stored.ruling_id,
    stored.named,
    stored.tides_id,
    stored.survey,
    stored.object_id,
    stored.ruling_id IN (SELECT ended.ended_by FROM ended) AS has_ended
FROM stored
ORDER BY stored.ruling_id;
