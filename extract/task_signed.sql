-- Kept signs become the tasks' own as soon as nobody is inserting rows. (The trigger gives time and state.)
WITH free AS MATERIALIZED (
  SELECT t.task_id FROM task_sign s JOIN task t ON t.task_id = s.task_id
  ORDER BY s.came_at LIMIT 100 FOR NO KEY UPDATE OF t SKIP LOCKED
), signed AS (
  UPDATE task t SET ready = true FROM free f WHERE t.task_id = f.task_id AND NOT t.ready
)
DELETE FROM task_sign s USING free f WHERE s.task_id = f.task_id
