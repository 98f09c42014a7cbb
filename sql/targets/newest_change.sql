-- purpose: tell the newest change of the list, and since when the numbers of changes go on
-- returns: one row: change bigint (0 without a target), history text

SELECT
    coalesce((SELECT max(listed_target.change) FROM listed_target), 0) AS change,
    coalesce((SELECT max(restoration.restored_at)::text FROM restoration), '') AS history;
