-- Signed tasks that are no run yet, those that wait for a rule first.
SELECT task_id, rule, name, state, coalesce(at, ready_at), why FROM task
WHERE ready AND run_id IS NULL
ORDER BY state = 'waiting' DESC, coalesce(at, ready_at), task_id
LIMIT 50
