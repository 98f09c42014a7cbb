-- purpose: end a visit
-- params: hash bytea (of what its cookie holds)

DELETE FROM account_key
WHERE account_key.hash = %(hash)s::bytea AND account_key.kind = 'visit';
