SELECT m.sms_id, m.sms_id || '.1.' || m.attempt, coalesce(g.word, '-'), m.number, m.changed_at, u.name
FROM message AS m
LEFT JOIN word AS g ON g.id = m.gateway
JOIN run AS r ON r.id = m.run_id
JOIN rule AS u ON u.id = r.rule_id
WHERE m.sms_id >= $1::bigint AND m.sms_id < $2::bigint AND m.state = 20
ORDER BY m.sms_id
