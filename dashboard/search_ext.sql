-- $1 the other system's id, $2 $3 ids from and before, $4 at most
SELECT sms_id FROM ext WHERE ext_id = $1::text AND sms_id >= $2::bigint AND sms_id < $3::bigint ORDER BY sms_id DESC LIMIT $4::bigint
