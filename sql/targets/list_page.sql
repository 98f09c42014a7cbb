-- purpose: list a page of the targets that satisfy a filter, sorted by a column, from a row on
-- params: chosen jsonb (as filter_listed has it), by text (new, or a column of the list), is_up boolean,
--         of_number boolean (it is sorted by a number), of_word boolean (by a word; neither: when it became a target),
--         is_known boolean (those with a value, or those without one), after_number double precision, after_word text,
--         after_id bigint (the row before; NULL for the first page), number integer
-- returns: the columns of listed_target; the value that the row is sorted by: sorted_number, sorted_word

SELECT
    listed.*,
    key.number AS sorted_number,
    key.word AS sorted_word
FROM filter_listed(%(chosen)s::jsonb) AS listed
CROSS JOIN
    LATERAL (
        SELECT
            CASE %(by)s::text
                WHEN 'ra' THEN listed.ra
                WHEN 'dec' THEN listed.decl
                WHEN 'redshift' THEN listed.redshift
                WHEN 'first' THEN listed.first_detection_mjd
                WHEN 'seen' THEN listed.last_detection_mjd
                WHEN 'detections' THEN listed.n_detections::double precision
                WHEN 'mag' THEN listed.mag
                WHEN 'tonight' THEN listed.tonight_mag
            END AS number,
            CASE %(by)s::text
                WHEN 'name' THEN listed.name
                WHEN 'state' THEN listed.state
                WHEN 'class' THEN listed.sherlock_class
                WHEN 'type' THEN listed.type
                WHEN 'function' THEN listed.selection_function
            END AS word
    ) AS key
WHERE
    -- A part without the column's value comes last, whichever way it is sorted.
    (NOT %(of_number)s::boolean OR (key.number IS NOT NULL) = %(is_known)s::boolean)
    AND (NOT %(of_word)s::boolean OR (key.word IS NOT NULL) = %(is_known)s::boolean)
    AND CASE
        WHEN %(after_id)s::bigint IS NULL THEN TRUE
        WHEN %(of_number)s::boolean AND %(is_known)s::boolean AND %(is_up)s::boolean
            THEN (key.number, listed.tides_id) > (%(after_number)s::double precision, %(after_id)s::bigint)
        WHEN %(of_number)s::boolean AND %(is_known)s::boolean
            THEN (key.number, listed.tides_id) < (%(after_number)s::double precision, %(after_id)s::bigint)
        WHEN %(of_word)s::boolean AND %(is_known)s::boolean AND %(is_up)s::boolean
            THEN (key.word, listed.tides_id) > (%(after_word)s::text, %(after_id)s::bigint)
        WHEN %(of_word)s::boolean AND %(is_known)s::boolean
            THEN (key.word, listed.tides_id) < (%(after_word)s::text, %(after_id)s::bigint)
        WHEN %(is_up)s::boolean THEN listed.tides_id > %(after_id)s::bigint
        ELSE listed.tides_id < %(after_id)s::bigint
    END
ORDER BY
    CASE WHEN %(is_up)s::boolean THEN key.number END ASC,
    CASE WHEN NOT %(is_up)s::boolean THEN key.number END DESC,
    CASE WHEN %(is_up)s::boolean THEN key.word END ASC,
    CASE WHEN NOT %(is_up)s::boolean THEN key.word END DESC,
    CASE WHEN %(is_up)s::boolean THEN listed.tides_id END ASC,
    CASE WHEN NOT %(is_up)s::boolean THEN listed.tides_id END DESC
LIMIT %(number)s::integer;
