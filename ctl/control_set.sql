INSERT INTO control (kind, scope, key, reason)
VALUES ($1::text, $2::text, $3::text, $4::text)
ON CONFLICT (kind, scope, key) DO NOTHING
