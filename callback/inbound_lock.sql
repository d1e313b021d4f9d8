-- One at a time over all shards: what a number said last can only be seen when nobody else is just writing it.
SELECT pg_advisory_xact_lock(6, 0)
