-- Where the messages of a run stand, with gateway and reason.
SELECT s.state, coalesce(g.word, ''), coalesce(w.word, ''), sum(s.count)::bigint
FROM stats AS s LEFT JOIN word AS g ON g.id = s.gateway LEFT JOIN word AS w ON w.id = s.reason
WHERE s.run_id = $1
GROUP BY s.state, g.word, w.word
HAVING sum(s.count) <> 0
ORDER BY s.state DESC, sum(s.count) DESC
LIMIT 400
