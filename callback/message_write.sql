-- $1 round; $2 … $3 one day. Compare and set: a row that is not as it was read is left, and the caller sees the count.
UPDATE message m
SET changed_at = f.changed_at, gateway = f.gateway, reason = f.reason, attempt = f.attempt, segments = f.segments, state = f.state,
  version = f.version, version_attempt = f.version_attempt
FROM flush_message f
WHERE m.sms_id = f.sms_id AND m.sms_id >= $2 AND m.sms_id < $3 AND f.sms_id >= $2 AND f.sms_id < $3 AND f.round = $1
  AND m.state = f.was_state AND m.attempt = f.was_attempt AND m.gateway = f.was_gateway AND m.reason = f.was_reason
  AND m.segments = f.was_segments AND m.version = f.was_version AND m.version_attempt = f.was_version_attempt
