-- $1 gateways, $2 msg_ids, $3 numbers (0: the report names none); $4 … $5 one day. A number that only ends equally comes,
-- too: the caller decides whether it fits (callback/park.h).
SELECT m.gateway, m.msg_id, m.number, m.sms_id, m.segment, m.attempt, m.accepted_at
FROM unnest($1::int[], $2::text[], $3::bigint[]) AS k (gateway, msg_id, number)
JOIN msg_map m ON m.gateway = k.gateway AND m.msg_id = k.msg_id
WHERE m.sms_id >= $4 AND m.sms_id < $5 AND (k.number = 0 OR m.number % 10000000 = k.number % 10000000)
LIMIT 500000
