-- purpose: list what was decided since the run of the bridge before this one began, the newest first
-- params: run_id bigint, number integer (of rows at most)
-- returns: one row a ruling: ruling_id, kind, tag, named, who, reason, until, ruled_at; name text (of the target
--          now; NULL for an object that was none), total bigint: how many there are

SELECT
    ruling.ruling_id,
    ruling.kind,
    ruling.tag,
    ruling.named,
    ruling.who,
    ruling.reason,
    ruling.until,
    ruling.ruled_at,
    tides_master.name,
    count(*) OVER () AS total
FROM ruling
LEFT JOIN tides_master ON kept_target(ruling.tides_id) = tides_master.tides_id
WHERE
    ruling.ruled_at >= coalesce(
        (
            SELECT max(earlier.started_at)
            FROM run_log AS earlier
            WHERE earlier.kind = 'bridge' AND earlier.run_id < %(run_id)s::bigint
        ),
        '-infinity'
    )
ORDER BY ruling.ruling_id DESC
LIMIT %(number)s::integer;
