SELECT target, body, published_at FROM outbox WHERE id = $1::bigint
