-- purpose: see whether runs are numbered here: not before the tables are up to date
-- returns: has_epoch boolean

SELECT to_regclass('run_epoch') IS NOT NULL AS has_epoch;
