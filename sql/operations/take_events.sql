-- purpose: take what happened to targets, the first of it, to make notices of it in the same transaction
-- params: number integer (of events at most)
-- returns: one row an event, in order: tides_id bigint, kind text, detail text, happened_at timestamptz, and of its
--          target name text, objects text, ra, decl (deg), sherlock_class text

WITH taken AS (
    DELETE FROM target_event
    WHERE
        target_event.event_id IN (
            SELECT first.event_id
            FROM target_event AS first
            ORDER BY first.event_id
            LIMIT %(number)s::integer
        )
    RETURNING
        target_event.event_id,
        target_event.tides_id,
        target_event.kind,
        target_event.detail,
        target_event.happened_at
)

SELECT
    taken.tides_id,
    taken.kind,
    taken.detail,
    taken.happened_at,
    tides_master.name,
    tides_master.ra,
    tides_master.decl,
    tides_master.sherlock_class,
    (
        SELECT string_agg(association.object_id, ', ' ORDER BY association.survey, association.object_id)
        FROM association
        WHERE association.tides_id = taken.tides_id
    ) AS objects
FROM taken
INNER JOIN tides_master ON taken.tides_id = tides_master.tides_id
ORDER BY taken.event_id;
