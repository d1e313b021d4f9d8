-- $1 rules with tasks that are configured. Said once each: the state says that it was said.
UPDATE task SET state = 'waiting', why = format('rule %s is not configured, or has no tasks: true; the task is taken up once it has', rule)
WHERE task_id IN (
  SELECT task_id FROM task WHERE ready AND run_id IS NULL AND state <> 'waiting' AND rule <> ALL ($1::text[])
  FOR NO KEY UPDATE SKIP LOCKED LIMIT 100)
RETURNING task_id, rule
