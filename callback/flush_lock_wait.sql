-- $1 shard: the same, waiting for it (lock_timeout ends the wait).
SELECT pg_advisory_xact_lock(3, $1)
