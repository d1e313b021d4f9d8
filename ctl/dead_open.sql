-- What can be replayed without being named, by where it would go: $1 of this queue ('' any).
SELECT queue, count(*), count(*) FILTER (WHERE NOT is_text)
FROM dead
WHERE state = 'waiting' AND ($1::text = '' OR queue = $1::text)
GROUP BY queue
ORDER BY queue
