-- purpose: list who has access, and who had: those in force first, by name
-- returns: one row an account: name, role, made_by, made_at, revoked_by, revoked_at, used_at (NULL: never)

SELECT
    account.name,
    account.role,
    account.made_by,
    account.made_at,
    account.revoked_by,
    account.revoked_at,
    (SELECT max(account_key.used_at) FROM account_key WHERE account_key.account_id = account.account_id) AS used_at
FROM account
ORDER BY account.revoked_at IS NOT NULL, account.name, account.account_id;
