-- $1 forms in which the gateway's id may be kept, $2 $3 ids from and before, $4 at most
SELECT DISTINCT m.sms_id
FROM msg_map AS m
WHERE m.gateway IN (SELECT id FROM word WHERE kind = 'gateway') AND m.msg_id = ANY ($1::text[])
  AND m.sms_id >= $2::bigint AND m.sms_id < $3::bigint
ORDER BY m.sms_id DESC
LIMIT $4::bigint
