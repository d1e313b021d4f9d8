-- Messages of some runs by state, and when a run's counters changed last. As state -1 those that have failed in part.
SELECT run_id, state, sum(count)::bigint, max(changed_at)
FROM stats
WHERE run_id = ANY ($1::bigint[])
GROUP BY run_id, state
UNION ALL
SELECT s.run_id, -1, sum(s.count)::bigint, max(s.changed_at)
FROM stats AS s JOIN word AS w ON w.id = s.reason
WHERE s.run_id = ANY ($1::bigint[]) AND w.kind = 'reason' AND starts_with(w.word, 'partial:')
GROUP BY s.run_id
HAVING sum(s.count) <> 0
