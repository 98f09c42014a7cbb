-- purpose: list which columns of the documented views lead to which others
-- returns: from_table, from_column, target_table, target_column

SELECT
    documented_key.from_table,
    documented_key.from_column,
    documented_key.target_table,
    documented_key.target_column
FROM documented_key
ORDER BY documented_key.key_id;
