-- Locked, so that two who replay at a time do not tell it twice.
SELECT id, gateway, received_at, octet_length(body), reason, error, body FROM quarantine WHERE id = $1::bigint FOR UPDATE
