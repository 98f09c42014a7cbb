-- purpose: note how a file of spectra was when it was looked at
-- params: path text, bytes bigint, modified_ns bigint, read_as text, problem text (NULL if it was read)

INSERT INTO delivery_file AS known (path, bytes, modified_ns, read_as, problem)
VALUES (
    %(path)s::text, %(bytes)s::bigint, %(modified_ns)s::bigint, %(read_as)s::text, %(problem)s::text
)
ON CONFLICT (path) DO UPDATE
    SET
        bytes = excluded.bytes,
        modified_ns = excluded.modified_ns,
        read_as = excluded.read_as,
        problem = excluded.problem,
        since = CASE
            WHEN known.problem IS NULL AND excluded.problem IS NULL THEN known.since
            WHEN known.problem IS NOT NULL AND excluded.problem IS NOT NULL THEN known.since
            ELSE excluded.since
        END;
