-- purpose: keep the light curves that were decided on, each once
-- params: surveys text[], object_ids text[], digests uuid[], curves bytea[] (all of one length), now timestamptz

INSERT INTO decided_light_curve (object_id, survey, curve_digest, curve, stored_at)
SELECT
    given.object_id,
    given.survey,
    given.curve_digest,
    given.curve,
    %(now)s::timestamptz AS stored_at
FROM
    unnest(%(surveys)s::text[], %(object_ids)s::text[], %(digests)s::uuid[], %(curves)s::bytea[]) AS given (
        survey, object_id, curve_digest, curve
    )
ON CONFLICT DO NOTHING;
