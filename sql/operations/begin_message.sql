-- purpose: note that the open message of a subscription is going to be sent; one that was begun before, and of which
--          nothing was heard, is begun once more, and then settled
-- params: subscription_id bigint
-- returns: message_id bigint, subject text, body text, unheard integer, outcome text (NULL if it is to be sent);
--          nothing if there is none, or if its time has not come

UPDATE message
SET
    unheard = message.unheard + (message.begun_at IS NOT NULL)::integer,
    begun_at = now(),
    settled_at = CASE WHEN message.begun_at IS NOT NULL AND message.unheard > 0 THEN now() END,
    outcome = CASE WHEN message.begun_at IS NOT NULL AND message.unheard > 0 THEN 'unknown' END
WHERE
    message.subscription_id = %(subscription_id)s::bigint
    AND message.settled_at IS NULL
    AND (message.next_try_at IS NULL OR message.next_try_at <= now())
RETURNING message.message_id, message.subject, message.body, message.unheard, message.outcome;
