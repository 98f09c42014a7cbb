-- purpose: find the targets that satisfy all conditions; one that is NULL is none
-- params: states text[], classes text[], functions text[], names text[] (patterns of LIKE),
--         names_begin text (a pattern that all of them are within, for an index), surveys text[],
--         tags text[], refused text (pattern of LIKE, in the reason), ra double precision (deg),
--         decl double precision (deg), radius_arcsec double precision (arcsec),
--         seen_from double precision (MJD), seen_before double precision (MJD), new_from timestamptz,
--         new_before timestamptz, at timestamptz (whose rulings are in force), tides_ids bigint[] (of these only, those
--         that were merged, too)
-- returns: one row a target: tides_id bigint, name text, state text, sherlock_class text, last_detection_mjd; those
--          that were merged are found by the state merged only

SELECT
    target.tides_id,
    target.name,
    CASE WHEN target.active THEN 'active' ELSE coalesce(target.inactive_reason, 'off') END AS state,
    target.sherlock_class,
    target.last_detection_mjd
FROM tides_master AS target
WHERE
    (%(tides_ids)s::bigint[] IS NULL OR target.tides_id = ANY(%(tides_ids)s::bigint[]))
    AND (
        (%(states)s::text[] IS NULL AND (target.merged_into IS NULL OR %(tides_ids)s::bigint[] IS NOT NULL))
        OR (target.active AND 'active' = ANY(%(states)s::text[]))
        OR (NOT target.active AND target.inactive_reason = ANY(%(states)s::text[]))
    )
    AND (%(classes)s::text[] IS NULL OR target.sherlock_class = ANY(%(classes)s::text[]))
    AND (%(functions)s::text[] IS NULL OR target.selection_function = ANY(%(functions)s::text[]))
    AND (
        %(names)s::text[] IS NULL
        OR target.tides_id = any(array(
            SELECT named.tides_id
            FROM tides_master AS named
            WHERE named.name LIKE %(names_begin)s::text AND named.name LIKE ANY(%(names)s::text[])
            UNION ALL
            SELECT association.tides_id
            FROM association
            WHERE association.object_id LIKE %(names_begin)s::text AND association.object_id LIKE ANY(%(names)s::text[])
        ))
    )
    AND (
        %(surveys)s::text[] IS NULL
        OR EXISTS (
            SELECT
            FROM association
            WHERE association.tides_id = target.tides_id AND association.survey = ANY(%(surveys)s::text[])
        )
    )
    AND (
        %(tags)s::text[] IS NULL
        OR target.tides_id IN (
            SELECT lying.tides_id
            FROM ruling_in_force AS lying
            WHERE
                lying.kind = 'tag'
                AND lying.tag = ANY(%(tags)s::text[])
                AND (lying.until IS NULL OR lying.until > %(at)s::timestamptz)
        )
    )
    AND (%(refused)s::text IS NULL OR target.refused_4most LIKE %(refused)s::text)
    AND (
        %(radius_arcsec)s::double precision IS NULL
        OR (
            target.decl BETWEEN %(decl)s::double precision - %(radius_arcsec)s::double precision / 3600
            AND %(decl)s::double precision + %(radius_arcsec)s::double precision / 3600
            AND great_circle_arcsec(
                target.ra, target.decl, %(ra)s::double precision, %(decl)s::double precision
            ) <= %(radius_arcsec)s::double precision
        )
    )
    AND (
        %(seen_from)s::double precision IS NULL
        OR target.last_detection_mjd >= %(seen_from)s::double precision
    )
    AND (
        %(seen_before)s::double precision IS NULL
        OR target.last_detection_mjd < %(seen_before)s::double precision
    )
    AND (%(new_from)s::timestamptz IS NULL OR target.created_at >= %(new_from)s::timestamptz)
    AND (%(new_before)s::timestamptz IS NULL OR target.created_at < %(new_before)s::timestamptz)
ORDER BY target.tides_id;
