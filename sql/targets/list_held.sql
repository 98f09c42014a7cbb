-- purpose: list what is held back, and waits for a person's word or was released
-- returns: one row a kind: kind text, held bigint, of_targets bigint, example text, since timestamptz, released bigint

SELECT
    held_change.kind,
    held_change.held,
    held_change.of_targets,
    held_change.example,
    held_change.since,
    held_change.released
FROM held_change
ORDER BY held_change.kind;
