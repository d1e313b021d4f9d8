-- Rows of tasks that have the ext_id $1, of the newest tasks first, $2 at most.
SELECT t.task_id, t.name, t.rule, t.state, t.why, t.run_id, r.state, r.why
FROM task_row w JOIN task t ON t.task_id = w.task_id LEFT JOIN run r ON r.id = t.run_id
WHERE w.ext_id = $1::text
ORDER BY t.created_at DESC, t.task_id
LIMIT $2::bigint
