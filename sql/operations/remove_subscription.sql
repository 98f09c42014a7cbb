-- purpose: forget a subscription, its address, and what it was to be told
-- params: name text
-- returns: name text; nothing if there is none of this name

DELETE FROM subscription
WHERE subscription.name = %(name)s::text
RETURNING subscription.name;
