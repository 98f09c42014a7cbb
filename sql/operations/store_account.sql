-- purpose: make an account, with the hash of its token
-- params: name text, role text, who text, hash bytea
-- returns: one row: account_id bigint; none if there is one of this name

WITH made AS (
    INSERT INTO account (name, role, made_by)
    VALUES (%(name)s::text, %(role)s::text, %(who)s::text)
    ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING
    RETURNING account_id
)

INSERT INTO account_key (hash, account_id, kind)
SELECT
    %(hash)s::bytea AS hash,
    made.account_id,
    'token' AS kind
FROM made
RETURNING account_id;
