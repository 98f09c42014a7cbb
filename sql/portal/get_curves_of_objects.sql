-- purpose: get the newest light curve that is kept of each of some objects
-- params: surveys text[], object_ids text[] (of the same length)
-- returns: survey text, object_id text, curve bytea; no row of one of which none is kept

SELECT
    asked.survey,
    asked.object_id,
    kept.curve
FROM unnest(%(surveys)s::text[], %(object_ids)s::text[]) AS asked (survey, object_id)
CROSS JOIN
    LATERAL (
        SELECT
            of_target.curve,
            of_target.decided_at AS kept_at
        FROM target_light_curve AS of_target
        WHERE of_target.survey = asked.survey AND of_target.object_id = asked.object_id
        UNION ALL
        SELECT
            judged_together.curve,
            judged_together.stored_at AS kept_at
        FROM light_curve AS judged_together
        WHERE judged_together.survey = asked.survey AND judged_together.object_id = asked.object_id
        UNION ALL
        SELECT
            decided.curve,
            decided.stored_at AS kept_at
        FROM decided_light_curve AS decided
        WHERE decided.survey = asked.survey AND decided.object_id = asked.object_id
        ORDER BY kept_at DESC
        LIMIT 1
    ) AS kept
ORDER BY asked.survey, asked.object_id;
