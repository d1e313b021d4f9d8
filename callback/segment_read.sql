-- $1 sms_ids; $2 … $3 their day: where their segments stand.
-- result: binary
SELECT s.sms_id, s.segment, s.attempt, s.state, s.gateway, s.reason, s.changed_at, coalesce(w.word, '')
FROM segment s LEFT JOIN word w ON w.id = s.reason
WHERE s.sms_id = ANY ($1) AND s.sms_id >= $2 AND s.sms_id < $3
