-- purpose: list when which version of which function was in force; as of a time those in force then
-- params: as_of timestamptz (NULL for all)
-- returns: function text, version text, role text, since timestamptz, until timestamptz, normalised_text text

SELECT
    selection_in_force.function,
    selection_in_force.version,
    selection_in_force.role,
    selection_in_force.since,
    selection_in_force.until,
    selection_function.normalised_text
FROM selection_in_force
INNER JOIN selection_function
    ON
        selection_in_force.function = selection_function.name
        AND selection_in_force.version = selection_function.version
WHERE
    %(as_of)s::timestamptz IS NULL
    OR (
        selection_in_force.since <= %(as_of)s::timestamptz
        AND (selection_in_force.until IS NULL OR selection_in_force.until > %(as_of)s::timestamptz)
    )
ORDER BY selection_in_force.since, selection_in_force.role, selection_in_force.function;
