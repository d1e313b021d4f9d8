-- Runs of the last day and all that wait for something, or run $1 (0: no certain one).
SELECT * FROM (
  SELECT r.id, u.name, r.scheduled_at, r.state, r.why, r.rows_read, r.rows_gone, r.rows_new, r.rows_duplicate, r.rows_invalid,
         r.rows_suppressed, r.pass_complete, to_json(r.held_by)::text,
         CASE WHEN r.state = 'held' OR $1::bigint <> 0 THEN r.planned::text END, r.released_by, r.released_at,
         CASE WHEN r.wave_wait_ms IS NOT NULL AND r.state IN ('read', 'held') THEN r.wave ELSE 2 END, r.wave_first, r.wave_due_at, r.publish,
         r.task_id
  FROM run AS r JOIN rule AS u ON u.id = r.rule_id
  WHERE ($1::bigint = 0 AND (r.created_at > now() - interval '1 day' OR r.state IN ('new', 'reading', 'held')
                             OR (r.state = 'read' AND r.wave = 1 AND r.wave_wait_ms IS NOT NULL))
         AND r.origin NOT IN ('test', 'heartbeat')) -- they are nobody's campaign; how many there were is a count of its own
    OR r.id = $1::bigint
  ORDER BY r.state = 'held' DESC, r.id DESC
  LIMIT 50 + (SELECT count(*) FROM run WHERE state = 'held')
) AS shown
ORDER BY id DESC
