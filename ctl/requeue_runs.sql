-- Runs that have open messages by the rollup: $1 this run (0 any), $2 the run of this message (0 any).
SELECT r.id, u.name
FROM run AS r JOIN rule AS u ON u.id = r.rule_id
WHERE ($1::bigint = 0 OR r.id = $1::bigint)
  AND ($2::bigint = 0 OR r.id = (SELECT run_id FROM message WHERE sms_id = $2::bigint))
  AND r.rows_new > (SELECT coalesce(sum(s.count) FILTER (WHERE s.state <> 10), 0) FROM stats AS s WHERE s.run_id = r.id)
ORDER BY r.id
