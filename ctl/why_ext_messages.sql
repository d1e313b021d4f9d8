-- Messages that another system knows by $1, the newest $2.
SELECT sms_id FROM ext WHERE ext_id = $1::text ORDER BY sms_id DESC LIMIT $2::bigint
