-- purpose: list the targets that are new since a run began, with what 4MOST was told of them, and why they passed
-- params: run_id bigint, number integer (of rows at most)
-- returns: one row a target, total bigint: how many there are; function text and measured jsonb of the decision

WITH chosen AS (
    SELECT
        tides_master.tides_id,
        tides_master.name,
        tides_master.survey,
        tides_master.object_id,
        tides_master.ra,
        tides_master.decl,
        tides_master.pk_4most,
        tides_master.refused_4most,
        (tides_master.told_4most ->> 'mag')::double precision AS mag,
        tides_master.told_4most ->> 'mag_type' AS mag_type,
        run_log.started_at,
        count(*) OVER () AS total
    FROM run_log
    INNER JOIN tides_master ON run_log.started_at <= tides_master.created_at
    WHERE run_log.run_id = %(run_id)s::bigint
    ORDER BY tides_master.tides_id
    LIMIT %(number)s::integer
)

SELECT
    chosen.name,
    chosen.survey,
    chosen.object_id,
    chosen.ra,
    chosen.decl,
    chosen.pk_4most,
    chosen.refused_4most,
    chosen.mag,
    chosen.mag_type,
    chosen.total,
    passed.function,
    passed.measured
FROM chosen
LEFT JOIN LATERAL (
    SELECT
        decision.function,
        decision.measured
    FROM decision
    WHERE
        decision.object_id = chosen.object_id
        AND decision.survey = chosen.survey
        AND decision.decided_at >= chosen.started_at
        AND decision.role = 'active'
        AND decision.passed
    ORDER BY decision.decided_at DESC
    LIMIT 1
) AS passed ON TRUE
ORDER BY chosen.tides_id;
