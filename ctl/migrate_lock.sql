SELECT pg_advisory_lock(5, 0)
