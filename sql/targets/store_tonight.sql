-- purpose: store how bright a target is to be expected
-- params: tides_id bigint, at_mjd double precision (MJD), system text, mags double precision[], errors double
--         precision[], methods text[] (order u g r i z y), is_known boolean, now timestamptz

INSERT INTO target_tonight (tides_id, at_mjd, system, mags, errors, methods, is_known, worked_out_at)
VALUES (
    %(tides_id)s::bigint,
    %(at_mjd)s::double precision,
    %(system)s::text,
    %(mags)s::double precision[],
    %(errors)s::double precision[],
    %(methods)s::text[],
    %(is_known)s::boolean,
    %(now)s::timestamptz
)
ON CONFLICT (tides_id) DO UPDATE
    SET
        at_mjd = excluded.at_mjd,
        system = excluded.system,
        mags = excluded.mags,
        errors = excluded.errors,
        methods = excluded.methods,
        is_known = excluded.is_known,
        worked_out_at = excluded.worked_out_at;
