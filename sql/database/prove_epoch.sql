-- purpose: give the epoch, which stays what it is to the end of this transaction
-- params: key bigint (the advisory lock of epochs)
-- returns: epoch bigint

SELECT pg_advisory_xact_lock_shared(%(key)s::bigint);

SELECT run_epoch.epoch
FROM run_epoch;
