-- $1 $2: a session's process and its start. Is it over? If not, it is told to end.
SELECT count(*) = 0, count(*) FILTER (WHERE pg_terminate_backend(pid))
FROM pg_stat_activity WHERE pid = $1::int AND backend_start = $2::timestamptz
