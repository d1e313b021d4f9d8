SELECT pg_try_advisory_lock(4, 0)
