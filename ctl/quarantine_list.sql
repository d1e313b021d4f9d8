-- A page: $1 after this id, $2 of this gateway ('' any).
SELECT id, gateway, received_at, octet_length(body), reason, error
FROM quarantine
WHERE id > $1::bigint AND ($2::text = '' OR gateway = $2::text)
ORDER BY id
LIMIT 500
