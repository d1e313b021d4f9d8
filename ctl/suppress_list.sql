-- The newest $1, of scope $2 ('' any), and how many there are.
SELECT number, scope, reason, since, count(*) OVER ()
FROM suppression
WHERE $2::text = '' OR scope = $2::text
ORDER BY since DESC, number, scope
LIMIT $1::bigint
