-- The rule's last runs that were read to the end and sent, but for this one: how many (at most five), and their new messages.
SELECT count(*), coalesce(sum(rows_new), 0)::bigint FROM (
  SELECT l.rows_new FROM run r JOIN run l ON l.rule_id = r.rule_id
  WHERE r.id = $1::bigint AND l.id <> r.id AND l.state = 'read' AND l.pass_complete
  ORDER BY l.scheduled_at DESC LIMIT 5) AS last
