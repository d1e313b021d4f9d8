-- $1 number, $2 gateway, $3 … $4 days back: attempts to it that have no msg_id and no outcome; of a message in parts each
-- segment stands for itself.
SELECT c.sms_id, c.segment, c.attempt, c.claimed_at, s.state = 20
FROM message m
JOIN claim c ON c.sms_id = m.sms_id
CROSS JOIN LATERAL (
  SELECT m.state WHERE m.parts = 1
  UNION ALL
  SELECT coalesce((SELECT g.state FROM segment g
                   WHERE g.sms_id = c.sms_id AND g.segment = c.segment AND g.sms_id >= $3 AND g.sms_id < $4), 0)
  WHERE m.parts > 1 AND c.segment <= m.parts) s
WHERE m.number = $1 AND m.sms_id >= $3 AND m.sms_id < $4 AND c.sms_id >= $3 AND c.sms_id < $4
  AND s.state IN (0, 10, 20) AND c.gateway = $2 AND c.kind = 0 AND c.settled = 0
  AND NOT EXISTS (SELECT FROM msg_map x WHERE x.sms_id = c.sms_id AND x.segment = c.segment AND x.attempt = c.attempt)
LIMIT 10
