-- purpose: list what is known of objects that are to be looked at again, those of some targets and others
-- params: tides_ids bigint[], surveys text[], object_ids text[] (the last two of one length)
-- returns: survey text, object_id text, ra double precision, decl double precision (deg), sherlock_class text,
--          newest_mjd double precision (MJD); all but the names NULL if nothing is known

SELECT
    asked.survey,
    asked.object_id,
    association.ra,
    association.decl,
    association.sherlock_class,
    greatest(
        association.last_detection_mjd,
        (
            SELECT max(last_decision.newest_mjd)
            FROM last_decision
            WHERE last_decision.survey = asked.survey AND last_decision.object_id = asked.object_id
        )
    ) AS newest_mjd
FROM (
    SELECT
        owned.survey,
        owned.object_id
    FROM association AS owned
    WHERE owned.tides_id = ANY(%(tides_ids)s::bigint[])
    UNION
    SELECT
        given.survey,
        given.object_id
    FROM unnest(%(surveys)s::text[], %(object_ids)s::text[]) AS given (survey, object_id)
) AS asked
LEFT JOIN association ON asked.survey = association.survey AND asked.object_id = association.object_id
ORDER BY asked.survey, asked.object_id;
