-- $1 … $2 the first sms_id and the one after the last of a stretch that is wanted nearly whole: one walk instead of a look-up
-- for each.
-- result: binary
SELECT sms_id, run_id, number, changed_at, gateway, reason, attempt, segments, state, version, version_attempt, ctid, xmin, parts
FROM message WHERE sms_id >= $1 AND sms_id < $2
