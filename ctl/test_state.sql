-- What became of the messages $1: in the order of sms_id.
SELECT m.sms_id, m.number, m.state, coalesce(g.word, ''), coalesce(r.word, ''), m.segments,
  coalesce((SELECT e.error FROM event e WHERE e.sms_id = m.sms_id AND e.error IS NOT NULL ORDER BY e.at DESC LIMIT 1), '')
FROM message m
LEFT JOIN word g ON g.id = m.gateway
LEFT JOIN word r ON r.id = m.reason
WHERE m.sms_id = ANY ($1::bigint[])
ORDER BY m.sms_id
