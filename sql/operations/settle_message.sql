-- purpose: note what came of a message; one that was not sent is tried again after a wait, twice as long each time. Of
--          whom nothing was heard stays begun, and is tried again after a wait of its own: the next look counts that
-- params: message_id bigint, outcome text (sent, failed, unknown), first_wait interval, longest_wait interval,
--         unheard_wait interval

UPDATE message
SET
    begun_at = CASE WHEN %(outcome)s::text <> 'failed' THEN message.begun_at END,
    settled_at = CASE WHEN %(outcome)s::text = 'sent' THEN now() END,
    outcome = CASE WHEN %(outcome)s::text = 'sent' THEN 'sent' END,
    failures = message.failures + (%(outcome)s::text = 'failed')::integer,
    failing_since = CASE WHEN %(outcome)s::text <> 'sent' THEN coalesce(message.failing_since, now()) END,
    next_try_at
    = CASE %(outcome)s::text
        WHEN 'failed'
            THEN now() + least(
                    %(longest_wait)s::interval, %(first_wait)s::interval * 2 ^ least(message.failures, 20)
                )
        WHEN 'unknown' THEN now() + %(unheard_wait)s::interval
    END
WHERE message.message_id = %(message_id)s::bigint;
