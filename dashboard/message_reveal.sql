-- $1 sms_id, $2 who, $3 their reason
SELECT number, record FROM reveal_message($1::bigint, $2::text, $3::text)
