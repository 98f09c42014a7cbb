-- purpose: list the functions that were ever in force, each in its newest version
-- returns: one row a name: name text, normalised_text text

SELECT DISTINCT ON (selection_in_force.function)
    selection_in_force.function AS name,
    selection_function.normalised_text
FROM selection_in_force
INNER JOIN selection_function
    ON
        selection_in_force.function = selection_function.name
        AND selection_in_force.version = selection_function.version
ORDER BY selection_in_force.function ASC, selection_in_force.since DESC;
