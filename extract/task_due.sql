-- Tasks whose runs are to be entered. $1 rules with tasks that are configured.
SELECT task_id, rule FROM task
WHERE ready AND run_id IS NULL AND coalesce(at, ready_at) <= now() AND rule = ANY ($1::text[])
ORDER BY coalesce(at, ready_at), task_id
LIMIT 100
