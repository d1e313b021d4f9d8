-- $1 gateway, $2 run, $3 $4 the day's bounds, $5 state, $6 ms in that state at least, $7 ms until it is given up: which
-- attempts are to be asked for; of a message in parts those of the segments in that state. One that waits to be sent again
-- (settled) is none.
INSERT INTO lookup (sms_id, segment, attempt, gateway, next_at, until)
SELECT m.sms_id, c.segment, c.attempt, c.gateway, s.changed_at + $6::bigint * interval '1 millisecond',
       s.changed_at + ($6::bigint + $7::bigint) * interval '1 millisecond'
FROM message m
CROSS JOIN LATERAL (
  SELECT 1::smallint AS segment, m.attempt, m.state, m.gateway, m.changed_at WHERE m.parts = 1
  UNION ALL
  SELECT g.segment, g.attempt, g.state, g.gateway, g.changed_at FROM segment g
  WHERE m.parts > 1 AND g.sms_id = m.sms_id AND g.sms_id >= $3::bigint AND g.sms_id < $4::bigint AND g.segment <= m.parts) s
JOIN claim c ON c.sms_id = m.sms_id AND c.segment = s.segment AND c.attempt = s.attempt
  AND c.sms_id >= $3::bigint AND c.sms_id < $4::bigint
WHERE m.run_id = $2::bigint AND m.sms_id >= $3::bigint AND m.sms_id < $4::bigint AND m.state = $5::int AND m.gateway = $1::int
  AND s.state = $5::int AND s.gateway = $1::int
  AND c.gateway = s.gateway AND c.kind = 0 AND c.settled = 0 AND s.changed_at <= now() - $6::bigint * interval '1 millisecond'
  AND s.changed_at > now() - ($6::bigint + $7::bigint) * interval '1 millisecond'
ON CONFLICT DO NOTHING
