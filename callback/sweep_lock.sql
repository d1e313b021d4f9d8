-- $1: 0 the tables' sweeps, 1 the look-ups
SELECT pg_try_advisory_lock(4, $1)
