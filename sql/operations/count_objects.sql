-- purpose: count the messages that cannot be read, and the objects without a light curve
-- returns: one row: refused_messages bigint, waiting bigint, given_up bigint (objects)

SELECT
    (SELECT count(*) FROM refused_message WHERE refused_message.accepted_at IS NULL) AS refused_messages,
    count(*) FILTER (WHERE deferred_object.given_up_at IS NULL) AS waiting,
    count(deferred_object.given_up_at) AS given_up
FROM deferred_object;
