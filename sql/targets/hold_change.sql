-- purpose: note that a change is held back, or that it is no more
-- params: kind text, held bigint (so many would change), of_targets bigint, most bigint (so many may), example text
-- returns: is_held boolean; no row if so many may change

DELETE FROM held_change
WHERE held_change.kind = %(kind)s::text AND %(held)s::bigint <= %(most)s::bigint;

INSERT INTO held_change AS known (kind, held, of_targets, example)
SELECT
    %(kind)s::text AS kind,
    %(held)s::bigint AS held,
    %(of_targets)s::bigint AS of_targets,
    %(example)s::text AS example
WHERE %(held)s::bigint > %(most)s::bigint
ON CONFLICT (kind) DO UPDATE
    SET
        held = excluded.held,
        of_targets = excluded.of_targets,
        example = excluded.example
-- A release is for so many, and a few that came since; after a week it is of yesterday.
RETURNING coalesce(
    known.held > 1.05 * known.released OR known.released_at < clock_timestamp() - interval '7 days', TRUE
) AS is_held;
