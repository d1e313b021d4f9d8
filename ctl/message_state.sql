SELECT m.state, m.attempt, coalesce(g.word, ''), m.number
FROM message AS m LEFT JOIN word AS g ON g.id = m.gateway
WHERE m.sms_id = $1::bigint
