-- $1 run, $2 … $3 its day, $4 accepted before, $5 after this sms_id: a page of messages that were accepted and never reported
SELECT m.sms_id, coalesce((SELECT min(c.segment) FROM claim c
                           WHERE c.sms_id = m.sms_id AND c.attempt = m.attempt AND c.sms_id >= $2 AND c.sms_id < $3), 1),
       m.attempt, coalesce(w.word, ''), m.lane, m.number
FROM message m
LEFT JOIN word w ON w.id = m.gateway
WHERE m.run_id = $1 AND m.sms_id >= $2 AND m.sms_id < $3 AND m.state = 30 AND m.changed_at <= $4 AND m.sms_id > $5
ORDER BY m.sms_id LIMIT 5000
