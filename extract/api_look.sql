-- Message $1 if it is of rule $2; $3 $4: its day's first sms_id and the next day's. `kind`: of its very first claim, which is the
-- gate of all others; null: nobody has claimed it.
SELECT m.number, m.state, m.lane, c.kind
FROM message m JOIN run r ON r.id = m.run_id JOIN rule u ON u.id = r.rule_id
LEFT JOIN LATERAL (SELECT kind FROM claim WHERE sms_id = m.sms_id AND sms_id >= $3::bigint AND sms_id < $4::bigint
                     AND segment = 1 AND attempt = 1 LIMIT 1) c ON true
WHERE m.sms_id = $1::bigint AND m.sms_id >= $3::bigint AND m.sms_id < $4::bigint AND u.name = $2::text
