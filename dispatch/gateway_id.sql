-- The gateway's number, and which session this is.
SELECT word_id('gateway', $1), pg_backend_pid(), (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())
