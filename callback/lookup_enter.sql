-- $1 gateway, $2 run, $3 $4 the day's bounds, $5 state, $6 ms in that state at least, $7 ms until it is given up: which
-- attempts are to be asked for. A message that waits to be sent again (settled) is none.
INSERT INTO lookup (sms_id, segment, attempt, gateway, next_at, until)
SELECT m.sms_id, c.segment, m.attempt, m.gateway, m.changed_at + $6::bigint * interval '1 millisecond',
       m.changed_at + ($6::bigint + $7::bigint) * interval '1 millisecond'
FROM message m
JOIN claim c ON c.sms_id = m.sms_id AND c.attempt = m.attempt AND c.sms_id >= $3::bigint AND c.sms_id < $4::bigint
WHERE m.run_id = $2::bigint AND m.sms_id >= $3::bigint AND m.sms_id < $4::bigint AND m.state = $5::int AND m.gateway = $1::int
  AND c.gateway = m.gateway AND c.kind = 0 AND c.settled = 0 AND m.changed_at <= now() - $6::bigint * interval '1 millisecond'
  AND m.changed_at > now() - ($6::bigint + $7::bigint) * interval '1 millisecond'
ON CONFLICT DO NOTHING
