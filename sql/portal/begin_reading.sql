-- purpose: let a transaction only read, for so long, and where there is a role that can do nothing else, as that
-- params: milliseconds text (for a statement), idle text (milliseconds, for who reads an answer and does not go on)
-- returns: a row; is_reader: whether it is that role

WITH reader AS (
    SELECT pg_roles.rolname::text AS role
    FROM pg_roles
    WHERE
        pg_roles.rolname = 'tides_reader'
        AND pg_has_role(pg_roles.oid, 'MEMBER')
        AND has_table_privilege(pg_roles.oid, 'vo.targets', 'SELECT')
)

SELECT
    set_config('transaction_read_only', 'on', TRUE) AS read_only,
    set_config('statement_timeout', %(milliseconds)s::text, TRUE) AS statement_timeout,
    set_config('idle_in_transaction_session_timeout', %(idle)s::text, TRUE) AS idle_timeout,
    set_config('standard_conforming_strings', 'on', TRUE) AS strings,
    set_config('max_parallel_workers_per_gather', '0', TRUE) AS workers,
    set_config('role', coalesce((SELECT reader.role FROM reader), 'none'), TRUE) <> 'none' AS is_reader;
