-- purpose: list the newest targets for a person
-- params: number integer
-- returns: one row a target, the newest first: tides_id, name, survey and object_id (of the object that was reported
--          first), ra and decl [deg], active, inactive_reason, refused_4most, created_at; magnitude and band of the
--          newest measurement; at_4most_since timestamptz

WITH newest AS (
    SELECT tides_master.*
    FROM tides_master
    WHERE tides_master.merged_into IS NULL
    ORDER BY tides_master.tides_id DESC
    LIMIT %(number)s::integer
)

SELECT
    newest.tides_id,
    newest.name,
    newest.survey,
    newest.object_id,
    newest.ra,
    newest.decl,
    newest.active,
    newest.inactive_reason,
    newest.refused_4most,
    newest.created_at,
    measured.latest_mag AS magnitude,
    measured.survey || ' ' || measured.band AS band,
    CASE
        WHEN newest.pk_4most IS NOT NULL
            THEN
                (
                    SELECT min(exchange_log.logged_at)
                    FROM exchange_log
                    WHERE
                        exchange_log.tides_id = newest.tides_id
                        AND exchange_log.operation = 'create'
                        AND exchange_log.status IN ('confirmed', 'adopted')
                )
    END AS at_4most_since
FROM newest
LEFT JOIN
    LATERAL (
        SELECT
            target_magnitude.survey,
            target_magnitude.band,
            target_magnitude.latest_mag
        FROM target_magnitude
        WHERE target_magnitude.tides_id = newest.tides_id
        ORDER BY target_magnitude.latest_mjd DESC, target_magnitude.latest_mag, target_magnitude.band
        LIMIT 1
    ) AS measured
    ON TRUE
ORDER BY newest.tides_id DESC;
