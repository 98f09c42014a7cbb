-- purpose: mute a subscription, pause it, or let it go on
-- params: name text, muted_until timestamptz, is_paused boolean
-- returns: name text; nothing if there is none of this name

UPDATE subscription
SET
    muted_until = %(muted_until)s::timestamptz,
    is_paused = %(is_paused)s::boolean
WHERE subscription.name = %(name)s::text
RETURNING subscription.name;
