-- A task's run, once, whoever comes first. $1 task, $2 its rule, whose row is locked, $3 why that is held ('' it is not).
-- A rule has one run a moment, so tasks of the same moment stand a microsecond apart. A task signed after its moment is
-- due from its sign on: of that valid_for is counted.
WITH due AS MATERIALIZED (
  SELECT task_id, greatest(at, ready_at) AS due_at FROM task
  WHERE task_id = $1::text AND ready AND run_id IS NULL FOR NO KEY UPDATE SKIP LOCKED
), entered AS (
  INSERT INTO run (rule_id, scheduled_at, origin, state, why, task_id)
  SELECT $2::bigint,
    coalesce((SELECT max(r.scheduled_at) + interval '1 microsecond' FROM run r
              WHERE r.rule_id = $2::bigint AND r.scheduled_at >= d.due_at AND r.scheduled_at < d.due_at + interval '1 second'), d.due_at),
    'task', CASE WHEN $3::text = '' THEN 'new' ELSE 'held' END, $3::text, d.task_id
  FROM due d
  RETURNING id, state
)
UPDATE task SET run_id = e.id, state = 'entered', why = '' FROM entered e WHERE task.task_id = $1::text
RETURNING e.id, e.state
