-- Where message $1 stands, or its segment $2 where it is in parts: state (null: there is no such segment), attempt, gateway; the
-- message's number and parts.
SELECT s.state, s.attempt, coalesce(g.word, ''), m.number, m.parts
FROM message AS m
LEFT JOIN LATERAL (
  SELECT m.state, m.attempt, m.gateway WHERE m.parts = 1 AND $2::int = 1
  UNION ALL
  SELECT p.state, p.attempt, p.gateway FROM segment AS p
  WHERE m.parts > 1 AND p.sms_id = m.sms_id AND p.segment = $2::int AND p.segment <= m.parts) AS s ON true
LEFT JOIN word AS g ON g.id = s.gateway
WHERE m.sms_id = $1::bigint
