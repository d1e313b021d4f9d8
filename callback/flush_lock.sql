-- $1 shard: one flush of a shard at a time, whoever holds its queue; given back with the transaction.
SELECT pg_try_advisory_xact_lock(3, $1)
