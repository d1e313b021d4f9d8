-- $1 sms_ids, $2 segments, $3 attempts, $4 gateways; $5 … $6 their day: what their claims say. Is it another gateway's, and
-- into how many parts was the message cut?
SELECT k.sms_id, k.segment, k.attempt, k.gateway, c.gateway <> k.gateway, c.parts
FROM unnest($1::bigint[], $2::int[], $3::int[], $4::int[]) AS k (sms_id, segment, attempt, gateway)
JOIN claim c ON c.sms_id = k.sms_id AND c.segment = k.segment AND c.attempt = k.attempt AND c.sms_id >= $5 AND c.sms_id < $6
