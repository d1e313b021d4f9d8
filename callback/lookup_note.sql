-- $1 sms_id, $2 segment, $3 attempt, $4 ms until it is asked again (null: given up), $5 what was said
UPDATE lookup SET tries = tries + 1, asked_at = now(), next_at = now() + $4::bigint * interval '1 millisecond', said = $5::text
WHERE sms_id = $1::bigint AND segment = $2::int AND attempt = $3::int
