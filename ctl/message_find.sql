SELECT sms_id FROM message WHERE sms_id = $1::bigint
