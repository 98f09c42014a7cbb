-- purpose: forget the light curves of which the record has no decision any more
-- params: before timestamptz (only those that were stored before are looked at)

DELETE FROM decided_light_curve
WHERE
    decided_light_curve.stored_at < %(before)s::timestamptz
    AND NOT EXISTS (
        SELECT
        FROM decision
        WHERE
            decision.object_id = decided_light_curve.object_id
            AND decision.survey = decided_light_curve.survey
            AND decision.curve_digest = decided_light_curve.curve_digest
    );
