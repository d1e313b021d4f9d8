-- Rows of tasks that are done are kept for $1 ms; a few at a time. A failed run may be read again as long as it is valid,
-- which is 30 days at most. The task itself stays: no other list may take its place.
WITH done AS MATERIALIZED (
  SELECT t.task_id FROM task t JOIN run r ON r.id = t.run_id
  WHERE t.cleaned_at IS NULL AND coalesce(r.ended_at, r.created_at) < now() - $1::bigint * interval '1 millisecond'
    AND (r.state IN ('read', 'cancelled', 'skipped') OR (r.state = 'failed' AND r.scheduled_at < now() - interval '31 days'))
  LIMIT 1000 FOR NO KEY UPDATE OF t SKIP LOCKED
), empty AS (
  UPDATE task t SET cleaned_at = now() FROM done d
  WHERE t.task_id = d.task_id AND NOT EXISTS (SELECT FROM task_row w WHERE w.task_id = t.task_id)
)
DELETE FROM task_row WHERE (task_id, ext_id) IN (
  SELECT w.task_id, w.ext_id FROM done d JOIN task_row w ON w.task_id = d.task_id LIMIT 2000)
