-- $1 sms_ids, sorted; $2 … $3 their day: messages in parts, locked until the flush is over, as message_read gives them.
-- result: binary
SELECT sms_id, run_id, number, changed_at, gateway, reason, attempt, segments, state, version, version_attempt, ctid, xmin, parts
FROM message WHERE sms_id = ANY ($1) AND sms_id >= $2 AND sms_id < $3
ORDER BY sms_id FOR NO KEY UPDATE
