-- purpose: list the files of spectra that were read as they are now, and need not be read again until they change
-- params: read_as text (the settings that matter for what is read)
-- returns: one row a file: path text, bytes bigint, modified_ns bigint

SELECT
    delivery_file.path,
    delivery_file.bytes,
    delivery_file.modified_ns
FROM delivery_file
WHERE delivery_file.problem IS NULL AND delivery_file.read_as = %(read_as)s::text
ORDER BY delivery_file.path;
