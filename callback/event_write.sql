-- $1 round
INSERT INTO event (sms_id, digest, segment, attempt, step, state, gateway, reason, gateway_at, at, error, origin)
SELECT sms_id, digest, segment, attempt, step, state, gateway, reason, gateway_at, at, error, origin FROM flush_event WHERE round = $1
ON CONFLICT DO NOTHING
