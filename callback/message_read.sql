-- $1 sms_ids, sorted; $2 … $3 their day. They come in the order of the key, as the index is walked, but that is not promised.
-- result: binary
SELECT sms_id, run_id, number, changed_at, gateway, reason, attempt, segments, state, version, version_attempt, ctid, xmin, parts
FROM message WHERE sms_id = ANY ($1) AND sms_id >= $2 AND sms_id < $3
