-- For each gateway that sends heartbeats, of today's and yesterday's: how many ms ago the newest one that was delivered had been entered
-- (null: none was), and how old the oldest one is that has no final status (0: none). $1 the first sms_id of yesterday.
SELECT substring(u.name FROM 11),
  (extract(epoch FROM now() - max(m.created_at) FILTER (WHERE m.state = 90)) * 1000)::bigint,
  coalesce((extract(epoch FROM now() - min(m.created_at) FILTER (WHERE m.state < 40)) * 1000)::bigint, 0)
FROM rule u
JOIN run r ON r.rule_id = u.id AND r.scheduled_at >= date_trunc('day', now(), 'UTC') - interval '1 day' AND r.origin = 'heartbeat'
JOIN message m ON m.run_id = r.id AND m.sms_id >= $1::bigint
WHERE u.name LIKE 'heartbeat:%'
GROUP BY u.name
