SELECT at, who, reason FROM reveal WHERE sms_id = $1::bigint ORDER BY id DESC LIMIT 20
