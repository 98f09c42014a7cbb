-- purpose: keep a new subscription, with its address
-- params: name text, who text, kinds text[], conditions text[], is_digest boolean, is_report boolean, scheme text,
--         digested_on date (of a digest: that of this day is not written any more), address bytea
-- returns: subscription_id bigint; nothing if there is one of this name

WITH made AS (
    INSERT INTO subscription (name, who, kinds, conditions, is_digest, is_report, scheme, digested_on)
    VALUES (
        %(name)s::text,
        %(who)s::text,
        %(kinds)s::text[],
        %(conditions)s::text[],
        %(is_digest)s::boolean,
        %(is_report)s::boolean,
        %(scheme)s::text,
        %(digested_on)s::date
    )
    ON CONFLICT (name) DO NOTHING
    RETURNING subscription.subscription_id
)

INSERT INTO subscription_address (subscription_id, address)
SELECT
    made.subscription_id,
    %(address)s::bytea AS address
FROM made
RETURNING subscription_address.subscription_id;
