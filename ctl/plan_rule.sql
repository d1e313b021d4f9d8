-- What the ledger knows of a rule, and its last run that was read to the end. $1 rule, $2 its once_per as configured.
SELECT u.held_why, u.once_per = $2::text[] AS once_per_known,
  EXISTS (SELECT FROM control k
          WHERE k.kind = 'pause' AND (k.scope = 'all' OR (k.scope = 'rule' AND k.key = u.name))) AS paused,
  r.id, r.scheduled_at, r.rows_read, r.rows_new, to_jsonb(r) ->> 'planned' AS planned
FROM rule u
LEFT JOIN LATERAL (
  SELECT * FROM run WHERE rule_id = u.id AND state = 'read' AND origin <> 'test' ORDER BY scheduled_at DESC LIMIT 1) AS r ON true
WHERE u.name = $1::text
