-- $1 round
INSERT INTO msg_map (gateway, msg_id, number, sms_id, segment, attempt, raw_msg_id, accepted_at)
SELECT gateway, msg_id, number, sms_id, segment, attempt, raw_msg_id, accepted_at FROM flush_map WHERE round = $1
ON CONFLICT DO NOTHING
