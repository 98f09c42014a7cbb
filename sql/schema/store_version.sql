-- purpose: note that a schema file was applied
-- params: name text, checksum text (SHA-256 of the file)

INSERT INTO schema_version (name, checksum)
VALUES (%(name)s::text, %(checksum)s::text);
