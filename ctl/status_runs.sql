SELECT r.id, u.name, r.scheduled_at, r.state, r.why, r.rows_read, r.rows_gone, r.rows_new, r.rows_duplicate, r.rows_invalid,
       r.rows_suppressed, r.pass_complete
FROM run AS r JOIN rule AS u ON u.id = r.rule_id
WHERE (r.created_at > now() - interval '1 day' OR r.state IN ('new', 'reading', 'held'))
  AND r.origin <> 'test' -- they are nobody's campaign; how many there were is a count of its own
ORDER BY r.id DESC
LIMIT 50
