-- By run and state; as state -1 those that have failed in part: some segment has arrived or may arrive.
SELECT run_id, state, sum(count)
FROM stats
WHERE run_id = ANY ($1::bigint[])
GROUP BY run_id, state
HAVING sum(count) <> 0
UNION ALL
SELECT s.run_id, -1, sum(s.count)
FROM stats AS s JOIN word AS w ON w.id = s.reason
WHERE s.run_id = ANY ($1::bigint[]) AND w.kind = 'reason' AND starts_with(w.word, 'partial:')
GROUP BY s.run_id
HAVING sum(s.count) <> 0
