-- purpose: switch targets off that were not seen for too long, are fainter than the limit in every band seen, or have
--          their spectrum; and switch those on again that a limit had switched off and none does any more
-- needs: life_stage
-- params: is_held boolean (nothing is switched off by a limit)
-- returns: deactivated bigint, activated bigint

WITH switched AS (
    UPDATE tides_master
    SET
        active = life_stage.reason IS NULL,
        inactive_reason = life_stage.reason
    FROM life_stage
    WHERE
        tides_master.tides_id = life_stage.tides_id
        AND (
            NOT %(is_held)s::boolean
            OR NOT life_stage.was_active
            OR life_stage.reason NOT IN ('unseen', 'faint')
        )
    RETURNING tides_master.active, life_stage.was_active
)

SELECT
    count(*) FILTER (WHERE switched.was_active AND NOT switched.active) AS deactivated,
    count(*) FILTER (WHERE switched.active) AS activated
FROM switched;
