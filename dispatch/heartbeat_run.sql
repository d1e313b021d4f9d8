-- $1 the gateway: the run of today that its heartbeats belong to.
SELECT standing_run('heartbeat:' || $1::text, 'heartbeat')
