-- $1 gateway, $2 how many: attempts to be asked for now, with all that the question and its answer need
SELECT l.sms_id, l.segment, l.attempt, m.lane, m.number, s.state, l.tries, l.until <= now(), c.claimed_at,
       (SELECT coalesce(x.raw_msg_id, x.msg_id) FROM msg_map x WHERE x.sms_id = l.sms_id AND x.segment = l.segment
          AND x.attempt = l.attempt AND x.gateway = l.gateway ORDER BY x.accepted_at LIMIT 1),
       (SELECT max(e.at) FROM event e WHERE e.sms_id = l.sms_id AND e.segment = l.segment AND e.attempt = l.attempt AND e.state = 20),
       s.state IS NULL OR s.attempt <> l.attempt OR s.state NOT IN (20, 30) OR c.settled <> 0 AS over, c.parts
FROM lookup l
LEFT JOIN message m ON m.sms_id = l.sms_id
LEFT JOIN LATERAL (
  SELECT m.state, m.attempt WHERE m.parts = 1 AND l.segment = 1
  UNION ALL
  SELECT g.state, g.attempt FROM segment g WHERE m.parts > 1 AND g.sms_id = l.sms_id AND g.segment = l.segment AND l.segment <= m.parts
) s ON true
LEFT JOIN claim c ON c.sms_id = l.sms_id AND c.segment = l.segment AND c.attempt = l.attempt
WHERE l.gateway = $1::int AND l.next_at <= now()
ORDER BY l.next_at LIMIT $2::int
