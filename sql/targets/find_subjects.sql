-- purpose: find what names stand for: targets by their own name or by an object, else objects that were judged only
-- params: names text[]
-- returns: one row a name and what it may stand for, the best first: named text, tides_id bigint, name text (of the
--          target that has the objects now; both NULL for an object that is no target), survey text, object_id text
--          (of that object), is_own boolean (the name is a target's own)

WITH asked AS (
    SELECT DISTINCT given.named
    FROM unnest(%(names)s::text[]) AS given (named)
),

meant AS (
    SELECT
        asked.named,
        kept_target(tides_master.tides_id) AS tides_id,
        TRUE AS is_own
    FROM asked
    INNER JOIN tides_master ON asked.named = tides_master.name
    UNION
    SELECT
        asked.named,
        association.tides_id,
        FALSE AS is_own
    FROM asked
    INNER JOIN association ON asked.named = association.object_id
)

SELECT
    meant.named,
    meant.tides_id,
    tides_master.name,
    NULL AS survey,
    NULL AS object_id,
    meant.is_own
FROM meant
INNER JOIN tides_master ON meant.tides_id = tides_master.tides_id
UNION ALL
SELECT DISTINCT
    asked.named,
    NULL::bigint AS tides_id,
    NULL AS name,
    known.survey,
    known.object_id,
    FALSE AS is_own
FROM asked
INNER JOIN (
    SELECT
        last_decision.survey,
        last_decision.object_id
    FROM last_decision
    UNION ALL
    SELECT
        deferred_object.survey,
        deferred_object.object_id
    FROM deferred_object
    UNION ALL
    SELECT
        ruling.survey,
        ruling.object_id
    FROM ruling
    WHERE ruling.object_id IS NOT NULL
) AS known ON asked.named = known.object_id
WHERE NOT EXISTS (
        SELECT
        FROM association
        WHERE association.survey = known.survey AND association.object_id = known.object_id
    )
ORDER BY named, is_own DESC, tides_id, survey;
