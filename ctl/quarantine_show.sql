SELECT id, gateway, received_at, octet_length(body), reason, error, body FROM quarantine WHERE id = $1::bigint
