-- A sign that did not come by the task's own row: kept for task_signed. $1 task. Gives a row if there is such a task.
WITH known AS MATERIALIZED (
  SELECT task_id, ready FROM task WHERE task_id = $1::text
), kept AS (
  INSERT INTO task_sign (task_id) SELECT task_id FROM known WHERE NOT ready ON CONFLICT (task_id) DO NOTHING
)
SELECT task_id FROM known
