-- $1 rules with tasks that are configured.
UPDATE task SET state = 'ready', why = '' WHERE task_id IN (
  SELECT task_id FROM task WHERE ready AND run_id IS NULL AND state = 'waiting' AND rule = ANY ($1::text[])
  FOR NO KEY UPDATE SKIP LOCKED)
