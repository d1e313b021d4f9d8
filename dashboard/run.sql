SELECT r.id, u.name, r.scheduled_at, r.state, r.why, r.origin, r.publish, r.pass_complete, r.rows_read, r.rows_gone, r.rows_new,
       r.rows_duplicate, r.rows_invalid, r.rows_suppressed, r.rows_seen, r.started_at, r.ended_at, r.pass, array_to_string(r.held_by, ' '),
       r.planned::text, r.released_by, r.released_at, r.wave, r.wave_first, r.wave_due_at, r.wave_wait_ms IS NOT NULL,
       r.created_at
FROM run AS r JOIN rule AS u ON u.id = r.rule_id
WHERE r.id = $1
