-- purpose: tell under which settings and code, and when, targets were compared last with what 4MOST was told
-- returns: one row: conditions text, now_mjd double precision (MJD, UTC); none before the first comparison

SELECT
    comparison_4most.conditions,
    comparison_4most.now_mjd
FROM comparison_4most;
