-- The next rows of a signed task, which nobody changes any more. $1 task, $2 the last ext_id, $3 so many. Values of
-- params as their text.
SELECT ext_id, number, template, text,
  (SELECT jsonb_object_agg(p.key, p.value) FROM jsonb_each_text(params) AS p (key, value))::text
FROM task_row
WHERE task_id = $1::text AND ext_id > $2::text
ORDER BY ext_id
LIMIT $3::int
