-- purpose: keep when hosts are targets
-- params: is_wanted boolean, per_target integer, unseen_days double precision, faint_limit double precision

INSERT INTO host_rule AS kept (is_wanted, per_target, unseen_days, faint_limit)
VALUES (
    %(is_wanted)s::boolean,
    %(per_target)s::integer,
    %(unseen_days)s::double precision,
    %(faint_limit)s::double precision
)
ON CONFLICT (is_only) DO UPDATE
SET
    is_wanted = excluded.is_wanted,
    per_target = excluded.per_target,
    unseen_days = excluded.unseen_days,
    faint_limit = excluded.faint_limit
WHERE
    (kept.is_wanted, kept.per_target, kept.unseen_days, kept.faint_limit)
    IS DISTINCT FROM (excluded.is_wanted, excluded.per_target, excluded.unseen_days, excluded.faint_limit);
