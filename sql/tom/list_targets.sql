-- purpose: list what our targets are to be in a TOM, and what we know of them there
-- params: tom text (its address), now_mjd double precision (MJD, UTC)
-- returns: one row a target, by tides_id: name, ra and decl [deg], aliases text[] (names of its objects), extras jsonb;
--          tom_id, asked, told, refused, theirs, heard jsonb, gone_since, NULL where nothing is known. Hosts are left
--          out; a target that was merged is there if it is there already

SELECT
    target.tides_id,
    target.name,
    target.ra,
    target.decl,
    named.aliases,
    jsonb_strip_nulls(
        jsonb_build_object(
            'id', target.tides_id,
            'state', CASE WHEN target.active THEN 'active' ELSE coalesce(target.inactive_reason, 'off') END,
            'class', target.sherlock_class,
            'type', target_class.type,
            'redshift', target_class.redshift,
            'mag_tonight',
            CASE WHEN target_tonight.at_mjd > %(now_mjd)s::double precision - 1
                    THEN round(target_tonight.mags[3]::numeric, 2)
            END,
            'pk_4most', target.pk_4most
        )
    ) AS extras,
    memory.tom_id,
    coalesce(memory.asked, '{}') AS asked,
    coalesce(memory.told, '{}') AS told,
    coalesce(memory.refused, '{}') AS refused,
    coalesce(memory.theirs, '{}') AS theirs,
    coalesce(memory.heard, '{}') AS heard,
    memory.problem,
    memory.gone_since
FROM tides_master AS target
LEFT JOIN tom_target AS memory ON target.tides_id = memory.tides_id AND memory.tom = %(tom)s::text
LEFT JOIN target_tonight ON target.tides_id = target_tonight.tides_id
LEFT JOIN target_class ON target.tides_id = target_class.tides_id
CROSS JOIN
    LATERAL (
        SELECT
            coalesce(
                array_agg(association.object_id ORDER BY association.survey, association.object_id), '{}'
            ) AS aliases
        FROM association
        WHERE association.tides_id = target.tides_id
    ) AS named
WHERE target.survey <> 'host' AND (target.merged_into IS NULL OR memory.tides_id IS NOT NULL)
ORDER BY target.tides_id;
