-- $1 gateways, $2 reasons, $3 errors, $4 bodies, $5 digests, $6 times of receipt
INSERT INTO quarantine (gateway, reason, error, body, digest, received_at)
SELECT q.gateway, q.reason, q.error, q.body, q.digest, q.received_at
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::timestamptz[])
  AS q (gateway, reason, error, body, digest, received_at)
ON CONFLICT (digest) DO NOTHING
