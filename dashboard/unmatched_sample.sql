-- The newest ids of gateway $1 that wait, at most $2
SELECT p.msg_id FROM parked AS p WHERE p.gateway = $1::int AND p.step = 102 AND p.msg_id IS NOT NULL ORDER BY p.id DESC LIMIT $2::bigint
