-- purpose: list what persons decided about targets, the newest first
-- params: tides_ids bigint[] (NULL for all), number bigint (at most)
-- returns: one row an object and decision

SELECT
    association_log.log_id,
    association_log.logged_at,
    association_log.action,
    association_log.survey,
    association_log.object_id,
    given.name AS from_name,
    taken.name AS to_name,
    association_log.reason,
    association_log.who
FROM association_log
INNER JOIN tides_master AS given ON association_log.from_tides_id = given.tides_id
INNER JOIN tides_master AS taken ON association_log.to_tides_id = taken.tides_id
WHERE
    %(tides_ids)s::bigint[] IS NULL
    OR association_log.from_tides_id = ANY(%(tides_ids)s::bigint[])
    OR association_log.to_tides_id = ANY(%(tides_ids)s::bigint[])
ORDER BY association_log.log_id DESC
LIMIT %(number)s::bigint;
