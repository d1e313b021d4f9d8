-- Reports by id that no message is known for, by gateway
SELECT p.gateway, coalesce(w.word, '?'), count(*), count(p.given_up_at), min(p.parked_at)
FROM parked AS p LEFT JOIN word AS w ON w.id = p.gateway
WHERE p.step = 102 AND p.msg_id IS NOT NULL
GROUP BY p.gateway, w.word
ORDER BY count(*) DESC
LIMIT 20
