-- purpose: switch targets off that were not seen for too long, are fainter than the limit, no longer pass where that
--          counts, or have their spectrum; and those on again that a rule had switched off and none does any more
-- needs: life_stage
-- params: held text[] (of deactivation and activation: what is not done)
-- returns: deactivated bigint, activated bigint

WITH switched AS (
    UPDATE tides_master
    SET
        active = life_stage.reason IS NULL,
        inactive_reason = life_stage.reason
    FROM life_stage
    WHERE
        tides_master.tides_id = life_stage.tides_id
        AND NOT (
            'deactivation' = ANY(%(held)s::text[])
            AND life_stage.was_active
            AND life_stage.reason IN ('unseen', 'faint', 'unselected', 'steady')
        )
        AND NOT (
            'activation' = ANY(%(held)s::text[])
            AND NOT life_stage.was_active
            AND life_stage.reason IS NULL
            AND NOT life_stage.by_ruling
        )
    RETURNING tides_master.active, life_stage.was_active
)

SELECT
    count(*) FILTER (WHERE switched.was_active AND NOT switched.active) AS deactivated,
    count(*) FILTER (WHERE switched.active) AS activated
FROM switched;
