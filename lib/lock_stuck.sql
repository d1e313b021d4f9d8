-- $1 class, $2 id (-1: any), $3 ms: ends the sessions that hold such a lock and have waited that long for the rest of a statement.
-- Their process is stopped or cut off; no idle time-out of the server counts there.
SELECT count(*) FILTER (WHERE pg_terminate_backend(a.pid))
FROM pg_locks AS l
JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.classid = $1::int AND ($2::int < 0 OR l.objid = $2::int) AND l.objsubid = 2 AND l.granted
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND a.pid <> pg_backend_pid() AND a.state = 'active' AND a.wait_event = 'ClientRead'
  AND a.query_start < clock_timestamp() - $3::int * interval '1 millisecond'
