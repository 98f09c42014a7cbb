-- purpose: list the rulings on some targets or on an object, the newest first
-- params: tides_ids bigint[], object_ids text[], at timestamptz (whose rulings are in force)
-- returns: one row a ruling: ruling_id, kind, named, tag, reason, who, source, until, ruled_at; is_in_force boolean;
--          names text[] (of the targets on which it lies)

WITH lying AS (
    SELECT
        ruling_subject.ruling_id,
        ruling_subject.tides_id,
        ruling_subject.ended_by
    FROM ruling_subject
    WHERE ruling_subject.tides_id = ANY(%(tides_ids)s::bigint[])
    UNION ALL
    SELECT
        ruling_subject.ruling_id,
        association.tides_id,
        ruling_subject.ended_by
    FROM ruling_subject
    INNER JOIN association
        ON ruling_subject.object_id = association.object_id AND ruling_subject.survey = association.survey
    WHERE association.tides_id = ANY(%(tides_ids)s::bigint[])
    UNION ALL
    SELECT
        ruling_subject.ruling_id,
        NULL::bigint AS tides_id,
        ruling_subject.ended_by
    FROM ruling_subject
    WHERE ruling_subject.object_id = ANY(%(object_ids)s::text[])
    UNION ALL
    SELECT
        released.ruling_id,
        released.tides_id,
        NULL::bigint AS ended_by
    FROM ruling AS released
    WHERE
        released.kind = 'release'
        AND (
            released.tides_id = ANY(%(tides_ids)s::bigint[])
            OR released.object_id = ANY(%(object_ids)s::text[])
        )
)

SELECT
    ruling.ruling_id,
    ruling.kind,
    ruling.named,
    ruling.tag,
    ruling.reason,
    ruling.who,
    ruling.source,
    ruling.until,
    ruling.ruled_at,
    ruling.kind <> 'release'
    AND bool_or(lying.ended_by IS NULL)
    AND (ruling.until IS NULL OR ruling.until > %(at)s::timestamptz) AS is_in_force,
    array_remove(array_agg(DISTINCT tides_master.name), NULL) AS names
FROM lying
INNER JOIN ruling ON lying.ruling_id = ruling.ruling_id
LEFT JOIN tides_master ON lying.tides_id = tides_master.tides_id
GROUP BY ruling.ruling_id
ORDER BY ruling.ruling_id DESC;
