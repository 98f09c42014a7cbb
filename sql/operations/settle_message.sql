-- purpose: note whether a message was sent; one that was not is tried again after a wait, twice as long each time
-- params: message_id bigint, is_sent boolean, first_wait interval, longest_wait interval

UPDATE message
SET
    begun_at = CASE WHEN %(is_sent)s::boolean THEN message.begun_at END,
    settled_at = CASE WHEN %(is_sent)s::boolean THEN now() END,
    outcome = CASE WHEN %(is_sent)s::boolean THEN 'sent' END,
    failures = message.failures + (NOT %(is_sent)s::boolean)::integer,
    failing_since = CASE WHEN NOT %(is_sent)s::boolean THEN coalesce(message.failing_since, now()) END,
    next_try_at
    = CASE
        WHEN NOT %(is_sent)s::boolean
            THEN now() + least(
                    %(longest_wait)s::interval, %(first_wait)s::interval * 2 ^ least(message.failures, 20)
                )
    END
WHERE message.message_id = %(message_id)s::bigint;
