-- $1 number, $2 $3 ids from and before, $4 at most
SELECT sms_id FROM messages_to($1::bigint, '', $2::bigint, $3::bigint, $4::bigint) AS sms_id
