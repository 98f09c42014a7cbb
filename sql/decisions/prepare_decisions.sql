-- purpose: make the partitions of the record for this month and the next, and drop whole months that are over age
-- params: now timestamptz, before timestamptz (months that end before are dropped; NULL for none)
-- returns: dropped integer (number of months)

SELECT coalesce(drop_decisions(%(before)s::timestamptz), 0) AS dropped
FROM make_decision_partitions(%(now)s::timestamptz);
