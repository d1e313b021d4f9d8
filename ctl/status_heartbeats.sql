-- Each gateway's heartbeats of the last two days: how many were entered, submitted and delivered, and when the last ones.
SELECT substring(u.name FROM 11), count(m.sms_id), count(m.sms_id) FILTER (WHERE m.state > 0),
       count(m.sms_id) FILTER (WHERE m.state = 90), max(m.created_at) FILTER (WHERE m.state > 0),
       max(m.changed_at) FILTER (WHERE m.state = 90)
FROM run r JOIN rule u ON u.id = r.rule_id LEFT JOIN message m ON m.run_id = r.id
WHERE r.origin = 'heartbeat' AND r.scheduled_at > now() - interval '2 days'
GROUP BY u.name
ORDER BY u.name
