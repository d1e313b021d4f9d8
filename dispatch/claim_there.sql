-- $1 sms_id, $6 segment, $2 attempt, $3 claimed_at, $4 $5 the day's bounds: is a claim there that we know was committed?
SELECT EXISTS (SELECT FROM claim WHERE sms_id = $1::bigint AND segment = $6::int AND attempt = $2::int
                 AND claimed_at = $3::timestamptz AND sms_id >= $4::bigint AND sms_id < $5::bigint)
