-- $1 steps, $2 gateways, $3 msg_ids, $4 numbers, $5 sms_ids of steps that name their attempt (0: none), $6 bodies, $7 digests
INSERT INTO parked (step, gateway, msg_id, number, seq_sms_id, body, digest)
SELECT p.step, p.gateway, p.msg_id, nullif(p.number, 0), nullif(p.seq_sms_id, 0), p.body, p.digest
FROM unnest($1::int[], $2::int[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::bigint[])
  AS p (step, gateway, msg_id, number, seq_sms_id, body, digest)
ON CONFLICT (digest) DO NOTHING
