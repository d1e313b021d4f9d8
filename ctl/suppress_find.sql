SELECT number, scope, reason, since, count(*) OVER ()
FROM suppression
WHERE number = $1::bigint AND ($2::text = '' OR scope = $2::text)
ORDER BY scope
