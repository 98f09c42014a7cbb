-- purpose: get the address of a subscription, for who sends
-- params: subscription_id bigint
-- returns: address bytea

SELECT subscription_address.address
FROM subscription_address
WHERE subscription_address.subscription_id = %(subscription_id)s::bigint;
