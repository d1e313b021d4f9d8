-- Messages that were not delivered (90), by gateway, state and reason, since day $1
SELECT coalesce(g.word, ''), s.state, w.word, sum(s.count)
FROM stats AS s JOIN word AS w ON w.id = s.reason LEFT JOIN word AS g ON g.id = s.gateway
WHERE s.day >= $1::date AND s.reason <> 0 AND s.state <> 90
GROUP BY 1, 2, 3
HAVING sum(s.count) > 0
ORDER BY 4 DESC, 1, 3
LIMIT 200
