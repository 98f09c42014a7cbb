-- purpose: forget messages that were settled long ago
-- params: days double precision (days)

DELETE FROM message
WHERE message.settled_at < now() - make_interval(secs => 86400 * %(days)s::double precision);
