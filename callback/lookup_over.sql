-- $1 sms_id, $2 segment, $3 attempt: nothing more to be asked
DELETE FROM lookup WHERE sms_id = $1::bigint AND segment = $2::int AND attempt = $3::int
