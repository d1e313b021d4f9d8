-- What the ledger knows of a rule, its last run that was read to the end, and how many and how large its last five were (as
-- extract's run_last). $1 rule, $2 its once_per as configured.
SELECT u.held_why, u.once_per = $2::text[] AS once_per_known,
  EXISTS (SELECT FROM control k
          WHERE k.kind = 'pause' AND (k.scope = 'all' OR (k.scope = 'rule' AND k.key = u.name))) AS paused,
  r.id, r.scheduled_at, r.rows_read, r.rows_new, r.planned::text, l.runs, l.recipients
FROM rule u
LEFT JOIN LATERAL (
  SELECT * FROM run WHERE rule_id = u.id AND state = 'read' AND origin <> 'test' ORDER BY scheduled_at DESC LIMIT 1) AS r ON true
CROSS JOIN LATERAL (
  SELECT count(*) AS runs, coalesce(sum(rows_new), 0)::bigint AS recipients FROM (
    SELECT rows_new FROM run WHERE rule_id = u.id AND state = 'read' AND pass_complete ORDER BY scheduled_at DESC LIMIT 5) AS last) AS l
WHERE u.name = $1::text
