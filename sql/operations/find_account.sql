-- purpose: find whose token or visit something is
-- params: hash bytea (or NULL), name text (or NULL: as a proxy names it)
-- returns: one row: account_id bigint, name text, role text; none if it is nobody's, was revoked, or has ended

SELECT
    account.account_id,
    account.name,
    account.role
FROM account
WHERE
    account.revoked_at IS NULL
    AND (
        account.name = %(name)s::text
        OR EXISTS (
            SELECT
            FROM account_key
            WHERE
                account_key.account_id = account.account_id
                AND account_key.hash = %(hash)s::bytea
                AND (account_key.ends_at IS NULL OR account_key.ends_at > now())
        )
    );
