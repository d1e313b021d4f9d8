-- $1 … $2 one day: what is in doubt; of a message in parts those segments that are.
SELECT m.sms_id, m.sms_id || '.' || s.segment || '.' || s.attempt, coalesce(g.word, '-'), m.number, s.changed_at, u.name
FROM message AS m
CROSS JOIN LATERAL (
  SELECT 1 AS segment, m.attempt, m.gateway, m.changed_at WHERE m.parts = 1
  UNION ALL
  SELECT p.segment, p.attempt, p.gateway, p.changed_at FROM segment AS p
  WHERE m.parts > 1 AND p.sms_id = m.sms_id AND p.sms_id >= $1::bigint AND p.sms_id < $2::bigint
    AND p.segment <= m.parts AND p.state = 20) AS s
LEFT JOIN word AS g ON g.id = s.gateway
JOIN run AS r ON r.id = m.run_id
JOIN rule AS u ON u.id = r.rule_id
WHERE m.sms_id >= $1::bigint AND m.sms_id < $2::bigint AND m.state = 20
ORDER BY m.sms_id, s.segment
