-- All rules that the ledger knows, each with its last run.
SELECT u.id, u.name, u.held_why, u.schedule, r.id, r.state, r.scheduled_at, r.publish, r.pass_complete, r.rows_read, r.rows_gone,
       coalesce(r.rows_new, 0), r.rows_duplicate, r.rows_invalid, r.rows_suppressed, r.rows_seen
FROM rule AS u LEFT JOIN LATERAL (
  SELECT * FROM run WHERE run.rule_id = u.id AND run.state <> 'skipped' ORDER BY run.id DESC LIMIT 1
) AS r ON true
ORDER BY u.name
LIMIT 1000
