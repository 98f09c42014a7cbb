-- purpose: make the list of applied schema files, and let one process at a time work on it
-- makes: schema_version

CREATE TABLE IF NOT EXISTS schema_version (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);

LOCK TABLE schema_version IN EXCLUSIVE MODE;
