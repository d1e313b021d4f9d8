-- $1 rule (null: all), $2 state (null: all), $3 before this run, $4 how many. Newest first.
SELECT r.id, u.name, r.scheduled_at, r.state, r.why, r.origin, r.publish, r.pass_complete, r.rows_read, r.rows_gone, r.rows_new,
       r.rows_duplicate, r.rows_invalid, r.rows_suppressed, r.rows_seen, r.started_at, r.ended_at
FROM (
  SELECT * FROM run
  WHERE id < $3::bigint AND ($1::int IS NULL OR rule_id = $1) AND ($2::text IS NULL OR state = $2)
  ORDER BY id DESC LIMIT $4::int
) AS r JOIN rule AS u ON u.id = r.rule_id
ORDER BY r.id DESC
