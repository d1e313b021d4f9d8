SELECT id FROM quarantine WHERE id > $1::bigint AND ($2::text = '' OR gateway = $2::text) ORDER BY id LIMIT 500
