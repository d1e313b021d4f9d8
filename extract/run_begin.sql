-- A new pass: counters of the pass from 0, what was entered stays counted. $1 run, $2 template version, $3 start at once.
UPDATE run SET pass = pass + 1, pass_complete = false, state = 'reading', rows_read = 0, rows_gone = 0, rows_seen = 0,
  rows_duplicate = 0, rows_invalid = 0, rows_suppressed = 0, template_version = $2::text, publish = publish OR $3::boolean,
  held_by = '{}', started_at = coalesce(started_at, now()), ended_at = NULL
WHERE id = $1::bigint AND state IN ('new', 'reading')
RETURNING pass
