-- $1 round; $2 … $3 one day. Compare and set: only the very version of a row that was read is written over, found where it
-- stands (which spares the walk down the index); of others the caller sees the count. The place alone would not do: it may
-- have been given to a newer version by now, which another transaction has written.
UPDATE message m
SET changed_at = f.changed_at, gateway = f.gateway, reason = f.reason, attempt = f.attempt, segments = f.segments, state = f.state,
  version = f.version, version_attempt = f.version_attempt, parts = f.parts
FROM flush_message f
WHERE m.ctid = f.place AND m.xmin = f.transaction AND m.sms_id = f.sms_id AND m.sms_id >= $2 AND m.sms_id < $3
  AND f.sms_id >= $2 AND f.sms_id < $3 AND f.round = $1
