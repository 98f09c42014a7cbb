-- purpose: list who is told of what, and how that goes; no address is among it
-- params: name text (of one; NULL: all)
-- returns: one row a subscription: its columns, waiting bigint (what stands in no message yet), open_since
--          timestamptz (since when a message is to be sent), failures integer, failing_since, unknown bigint (messages
--          of which nobody knows whether they arrived), sent_at timestamptz (when the last one was)

SELECT
    subscription.subscription_id,
    subscription.name,
    subscription.who,
    subscription.kinds,
    subscription.conditions,
    subscription.is_digest,
    subscription.is_report,
    subscription.scheme,
    subscription.muted_until,
    subscription.is_paused,
    subscription.digested_on,
    subscription.made_at,
    told.open_since,
    coalesce(told.failures, 0) AS failures,
    told.failing_since,
    told.unknown,
    told.sent_at,
    (
        SELECT count(*)
        FROM notice
        WHERE notice.subscription_id = subscription.subscription_id
    ) + (
        SELECT coalesce(sum(notice_beyond.number), 0)::bigint
        FROM notice_beyond
        WHERE notice_beyond.subscription_id = subscription.subscription_id
    ) AS waiting
FROM subscription
CROSS JOIN
    LATERAL (
        SELECT
            max(message.written_at) FILTER (WHERE message.settled_at IS NULL) AS open_since,
            max(message.failures) FILTER (WHERE message.settled_at IS NULL) AS failures,
            max(message.failing_since) FILTER (WHERE message.settled_at IS NULL) AS failing_since,
            count(*) FILTER (WHERE message.outcome = 'unknown') AS unknown,
            max(message.settled_at) FILTER (WHERE message.outcome = 'sent') AS sent_at
        FROM message
        WHERE message.subscription_id = subscription.subscription_id
    ) AS told
WHERE %(name)s::text IS NULL OR subscription.name = %(name)s::text
ORDER BY subscription.subscription_id;
