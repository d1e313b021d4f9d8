SELECT run_id, state, sum(count)
FROM stats
WHERE run_id = ANY ($1::bigint[])
GROUP BY run_id, state
HAVING sum(count) <> 0
