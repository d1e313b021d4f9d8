-- $1 sms_ids, $2 segments, $3 attempts, $4 states, $5 gateways, $6 reasons, $7 times: segments whose stand was raised. Their
-- messages' rows are locked by this flush.
INSERT INTO segment (sms_id, segment, attempt, state, gateway, reason, changed_at)
SELECT i.sms_id, i.segment, i.attempt, i.state, i.gateway, i.reason, i.changed_at
FROM unnest($1::bigint[], $2::int[], $3::int[], $4::int[], $5::int[], $6::int[], $7::timestamptz[])
  AS i (sms_id, segment, attempt, state, gateway, reason, changed_at)
ORDER BY i.sms_id, i.segment
ON CONFLICT (sms_id, segment) DO UPDATE SET attempt = excluded.attempt, state = excluded.state, gateway = excluded.gateway,
  reason = excluded.reason, changed_at = excluded.changed_at
