-- $1 run, $2 … $3 its day, $4 accepted before, $5 after this sms_id: attempts of a page of messages that were accepted and never
-- reported; of a message in parts those segments that were not.
SELECT p.sms_id, s.segment, s.attempt, coalesce(w.word, ''), p.lane, p.number, p.parts
FROM (SELECT m.sms_id, m.parts, m.attempt, m.gateway, m.lane, m.number FROM message m
      WHERE m.run_id = $1 AND m.sms_id >= $2 AND m.sms_id < $3 AND m.state = 30 AND m.changed_at <= $4 AND m.sms_id > $5
      ORDER BY m.sms_id LIMIT 5000) p
CROSS JOIN LATERAL (
  SELECT 1::smallint AS segment, p.attempt, p.gateway WHERE p.parts = 1
  UNION ALL
  SELECT g.segment, g.attempt, g.gateway FROM segment g
  WHERE p.parts > 1 AND g.sms_id = p.sms_id AND g.sms_id >= $2 AND g.sms_id < $3 AND g.segment <= p.parts AND g.state = 30) s
LEFT JOIN word w ON w.id = s.gateway
ORDER BY p.sms_id, s.segment
