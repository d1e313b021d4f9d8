-- Where each segment of message $1 stands, which is in $2 parts; nothing told of one: queued.
SELECT n.segment, coalesce(s.state, 0), coalesce(s.attempt, 0), coalesce(g.word, ''), coalesce(e.word, ''), s.changed_at
FROM generate_series(1, $2::int) AS n (segment)
LEFT JOIN segment AS s ON s.sms_id = $1::bigint AND s.segment = n.segment
LEFT JOIN word AS g ON g.id = s.gateway
LEFT JOIN word AS e ON e.id = s.reason
ORDER BY n.segment
