-- Runs of the last day and all that are still open or held, newest first; those of tests and heartbeats are nobody's campaign.
SELECT r.id, u.name, r.scheduled_at, r.state, r.why, r.origin, r.publish, r.pass_complete, r.rows_read, r.rows_gone, r.rows_new,
       r.rows_duplicate, r.rows_invalid, r.rows_suppressed, r.rows_seen, r.started_at, r.ended_at, r.wave, r.wave_first, r.wave_due_at,
       r.wave_wait_ms IS NOT NULL AND r.wave = 1
FROM (
  (SELECT id FROM run WHERE state = 'held' ORDER BY id DESC LIMIT 10)
  UNION
  (SELECT id FROM run WHERE state IN ('new', 'reading') ORDER BY id DESC LIMIT 10)
  UNION
  (SELECT id FROM (SELECT id, created_at, origin, state FROM run ORDER BY id DESC LIMIT 400) AS last
   WHERE created_at > now() - interval '1 day' AND origin NOT IN ('test', 'heartbeat') AND state <> 'skipped' ORDER BY id DESC LIMIT 16)
) AS shown JOIN run AS r USING (id) JOIN rule AS u ON u.id = r.rule_id
ORDER BY r.state = 'held' DESC, r.id DESC
LIMIT 20
