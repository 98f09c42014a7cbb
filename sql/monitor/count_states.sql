-- purpose: count objects, messages and targets by state
-- returns: one row of numbers

SELECT
    (SELECT count(*) FROM decision) AS judged,
    (SELECT count(*) FROM decision WHERE decision.passed) AS passed,
    (SELECT count(*) FROM refused_message WHERE refused_message.accepted_at IS NULL) AS refused_messages,
    count(*) AS targets,
    count(*) FILTER (WHERE tides_master.active) AS active,
    count(*) FILTER (WHERE tides_master.inactive_reason = 'unseen') AS unseen,
    count(*) FILTER (WHERE tides_master.inactive_reason = 'faint') AS faint,
    count(*) FILTER (WHERE tides_master.inactive_reason = 'spectrum') AS has_spectrum,
    count(*) FILTER (WHERE tides_master.pk_4most IS NOT NULL) AS at_4most,
    count(*) FILTER (WHERE (tides_master.told_4most ->> 'is_active')::boolean) AS active_at_4most,
    count(*) FILTER (WHERE tides_master.date_ingested IS NOT NULL) AS ingested,
    count(*) FILTER (WHERE tides_master.refused_4most IS NOT NULL) AS refused_targets,
    count(*) FILTER (WHERE tides_master.wanted_4most IS NOT NULL) AS wanted_not_allowed,
    count(*) FILTER (WHERE tides_master.asked_4most IS NOT NULL) AS unanswered
FROM tides_master;
