-- purpose: count objects, messages and targets by state
-- returns: one row of numbers

WITH latest AS (
    SELECT DISTINCT ON (last_decision.survey, last_decision.object_id) last_decision.passed
    FROM last_decision
    WHERE last_decision.role = 'active'
    ORDER BY last_decision.survey, last_decision.object_id, last_decision.decided_at DESC
)

SELECT
    (SELECT count(*) FROM latest) AS judged,
    (SELECT count(*) FROM latest WHERE latest.passed) AS passed,
    (SELECT count(*) FROM refused_message WHERE refused_message.accepted_at IS NULL) AS refused_messages,
    count(*) AS targets,
    count(*) FILTER (WHERE tides_master.active) AS active,
    count(*) FILTER (WHERE tides_master.inactive_reason = 'unseen') AS unseen,
    count(*) FILTER (WHERE tides_master.inactive_reason = 'faint') AS faint,
    count(*) FILTER (WHERE tides_master.inactive_reason = 'unselected') AS unselected,
    count(*) FILTER (WHERE tides_master.inactive_reason = 'steady') AS steady,
    count(*) FILTER (WHERE tides_master.inactive_reason = 'spectrum') AS has_spectrum,
    count(*) FILTER (WHERE tides_master.inactive_reason = 'veto') AS vetoed,
    count(*) FILTER (WHERE tides_master.inactive_reason = 'hold') AS held,
    (
        SELECT count(DISTINCT lying.tides_id)
        FROM ruling_in_force AS lying
        INNER JOIN tides_master AS mine ON lying.tides_id = mine.tides_id
        WHERE lying.kind = 'force' AND mine.active AND (lying.until IS NULL OR lying.until > now())
    ) AS forced,
    count(*) FILTER (WHERE tides_master.pk_4most IS NOT NULL) AS at_4most,
    count(*) FILTER (WHERE (tides_master.told_4most ->> 'is_active')::boolean) AS active_at_4most,
    count(*) FILTER (WHERE tides_master.date_ingested IS NOT NULL) AS ingested,
    count(*) FILTER (WHERE tides_master.refused_4most IS NOT NULL) AS refused_targets,
    count(*) FILTER (WHERE tides_master.wanted_4most IS NOT NULL) AS wanted_not_allowed,
    count(*) FILTER (WHERE tides_master.asked_4most IS NOT NULL) AS unanswered
FROM tides_master;
