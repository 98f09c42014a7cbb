-- purpose: end an account: its token and visits are worth nothing any more
-- params: name text, who text
-- returns: one row: account_id bigint; none if there is none of this name

UPDATE account
SET revoked_at = clock_timestamp(), revoked_by = %(who)s::text
WHERE account.name = %(name)s::text AND account.revoked_at IS NULL
RETURNING account.account_id;
