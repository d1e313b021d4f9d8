-- $1 gateways, $2 msg_ids that came, $3 after this id: the steps that wait for them, a page
SELECT p.id, p.body FROM (SELECT DISTINCT k.gateway, k.msg_id FROM unnest($1::int[], $2::text[]) AS k (gateway, msg_id)) k
JOIN parked p ON p.gateway = k.gateway AND p.msg_id = k.msg_id
WHERE p.id > $3 ORDER BY p.id LIMIT 5000
