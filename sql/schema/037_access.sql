-- purpose: know who may what in the portal and its API: accounts, and the tokens and visits by which they are known
-- makes: account, account_key; the view account_in_force

CREATE TABLE account (
    account_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    role text NOT NULL CHECK (role IN ('reader', 'ruler', 'operator')),
    made_by text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    revoked_by text,
    revoked_at timestamptz,
    CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);

COMMENT ON TABLE account IS 'a person or program, and what it may do: none is deleted';

CREATE UNIQUE INDEX account_name ON account (name) WHERE revoked_at IS NULL;

CREATE TABLE account_key (
    hash bytea PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES account,
    kind text NOT NULL CHECK (kind IN ('token', 'visit')),
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    used_at timestamptz,
    ends_at timestamptz
);

COMMENT ON TABLE account_key IS 'SHA-256 of a token, or of what the cookie of a visit holds: 256 random bits each';
COMMENT ON COLUMN account_key.ends_at IS 'of a visit; NULL: with the account';

CREATE INDEX account_key_account ON account_key (account_id);
