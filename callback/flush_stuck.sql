-- $1 shard, $2 ms: ends the session that holds this shard's lock if it has waited that long for the rest of a COPY. Its
-- process is stopped or gone; no idle time-out of the server counts there.
SELECT count(*) FILTER (WHERE pg_terminate_backend(a.pid))
FROM pg_locks AS l
JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.classid = 3 AND l.objid = $1 AND l.objsubid = 2 AND l.granted
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND a.pid <> pg_backend_pid() AND a.state = 'active' AND a.wait_event = 'ClientRead'
  AND a.query_start < clock_timestamp() - $2::int * interval '1 millisecond'
