-- purpose: list the objects of a batch that belong to a target
-- needs: tides_stage
-- returns: survey text, object_id text

SELECT
    tides_stage.survey,
    tides_stage.object_id
FROM tides_stage;
