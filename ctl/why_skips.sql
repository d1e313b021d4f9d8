-- Rows that became no message: $1 the number's digits and what may have stood in their place, $2 the rule ('' any), the
-- newest $3; $4 the number. For a duplicate: the message of its key, where it stands, and whether it went to this number.
SELECT s.run_id, u.name, r.scheduled_at, s.kind, s.reason, s.first_run, m.sms_id, m.state, m.number = $4::bigint
FROM number_salt AS n
CROSS JOIN unnest($1::text[]) AS asked (text)
JOIN run_skip AS s ON s.number_hash = salted_hash(n.salt, asked.text)
JOIN run AS r ON r.id = s.run_id
JOIN rule AS u ON u.id = r.rule_id
LEFT JOIN dedupe AS d ON d.key = s.key AND s.kind = 'duplicate'
LEFT JOIN LATERAL (SELECT sms_id, state, number FROM message WHERE sms_id = d.sms_id LIMIT 1) AS m ON true
WHERE $2::text = '' OR u.name = $2::text
ORDER BY s.run_id DESC
LIMIT $3::bigint
