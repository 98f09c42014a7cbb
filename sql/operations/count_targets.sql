-- purpose: count targets by their state here, and by that at 4MOST
-- returns: one row of numbers: active, unseen, faint, unselected, steady, spectrum, merged, veto and hold add up
--          to all targets; those of 4MOST overlap

SELECT
    count(*) FILTER (WHERE tides_master.active) AS active,
    count(*) FILTER (WHERE tides_master.inactive_reason = 'unseen') AS unseen,
    count(*) FILTER (WHERE tides_master.inactive_reason = 'faint') AS faint,
    count(*) FILTER (WHERE tides_master.inactive_reason = 'unselected') AS unselected,
    count(*) FILTER (WHERE tides_master.inactive_reason = 'steady') AS steady,
    count(*) FILTER (WHERE tides_master.inactive_reason = 'spectrum') AS spectrum,
    count(*) FILTER (WHERE tides_master.inactive_reason = 'merged') AS merged,
    count(*) FILTER (WHERE tides_master.inactive_reason = 'veto') AS veto,
    count(*) FILTER (WHERE tides_master.inactive_reason = 'hold') AS hold,
    count(tides_master.pk_4most) AS known_4most,
    count(*) FILTER (WHERE (tides_master.told_4most ->> 'is_active')::boolean) AS active_4most,
    count(tides_master.date_ingested) AS ingested_4most,
    count(tides_master.refused_4most) AS refused_4most,
    count(tides_master.wanted_4most) AS not_allowed_4most
FROM tides_master;
