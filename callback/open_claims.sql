-- $1 … $2 when they were claimed, $3 first sms_id that can have a claim, ($4, $5, $6) after this attempt: a page of attempts
-- that were claimed to be sent and of which nothing was told since. Of a message in parts each segment stands for itself.
SELECT c.sms_id, c.segment, c.attempt, coalesce(w.word, ''), m.lane, m.number, c.parts
FROM claim c
JOIN message m ON m.sms_id = c.sms_id
LEFT JOIN LATERAL (SELECT state, attempt FROM segment
                   WHERE c.parts > 1 AND sms_id = c.sms_id AND segment = c.segment LIMIT 1) s ON true
LEFT JOIN word w ON w.id = c.gateway
WHERE c.claimed_at > $1 AND c.claimed_at <= $2 AND c.sms_id >= $3 AND c.kind = 0 AND c.settled = 0
  AND CASE WHEN c.parts > 1 THEN coalesce(s.state, 0) IN (0, 10) AND coalesce(s.attempt, 0) <= c.attempt
           ELSE m.state IN (0, 10) AND m.attempt <= c.attempt END
  AND (c.sms_id, c.segment, c.attempt) > ($4, $5, $6)
ORDER BY c.sms_id, c.segment, c.attempt LIMIT 5000
