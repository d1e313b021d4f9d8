INSERT INTO suppression (number, scope, reason)
VALUES ($1::bigint, $2::text, $3::text)
ON CONFLICT (number, scope) DO NOTHING
RETURNING number
