-- purpose: begin a visit of a browser that showed a token, and forget those that have ended
-- params: token bytea (hash of the token), hash bytea (of what the cookie will hold), hours integer (it lasts)
-- returns: one row: account_id bigint; none if the token is nobody's

WITH ended AS (
    DELETE FROM account_key
    WHERE account_key.ends_at < now()
),

known AS (
    UPDATE account_key
    SET used_at = now()
    FROM account
    WHERE
        account_key.hash = %(token)s::bytea
        AND account_key.kind = 'token'
        AND account.account_id = account_key.account_id
        AND account.revoked_at IS NULL
    RETURNING account_key.account_id
)

INSERT INTO account_key (hash, account_id, kind, ends_at)
SELECT
    %(hash)s::bytea AS hash,
    known.account_id,
    'visit' AS kind,
    now() + make_interval(hours => %(hours)s::integer) AS ends_at
FROM known
ON CONFLICT (hash) DO NOTHING
RETURNING account_id;
