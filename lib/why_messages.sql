-- Messages to number $1, of rule $2 ('' any), the newest $3.
SELECT sms_id FROM messages_to($1::bigint, $2::text, 0, 9223372036854775807, $3::bigint) AS sms_id
