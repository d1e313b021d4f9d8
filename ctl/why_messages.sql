-- Messages to number $1, of rule $2 ('' any), the newest $3. What an operator has said of each, and when it is due to leave
-- the outbox, are looked for where they may be what it waits for.
SELECT m.sms_id, m.run_id, u.name, r.scheduled_at, m.created_at, m.valid_until, m.changed_at, m.state, coalesce(g.word, ''),
  coalesce(e.word, ''), m.attempt, r.state, r.why, r.publish,
  (SELECT string_agg(CASE k.kind WHEN 'pause' THEN 'paused' ELSE 'cancelled' END || ': ' || k.scope
                     || CASE WHEN k.key <> '' THEN ' ' || k.key ELSE '' END || ' since '
                     || to_char(k.since, 'YYYY-MM-DD HH24:MI:SS') || ' by ' || k.by
                     || CASE WHEN k.reason <> '' THEN ' (' || k.reason || ')' ELSE '' END, '; ' ORDER BY k.since)
   FROM control AS k
   WHERE k.scope = 'all' OR (k.scope, k.key) IN (('rule', u.name), ('run', r.id::text), ('message', m.sms_id::text),
                                                 ('gateway', coalesce(g.word, '')))),
  CASE WHEN m.state IN (0, 10) THEN
    (SELECT min(o.due_at) FROM outbox AS o
     WHERE o.published_at IS NULL AND strpos(o.body, '"sms_id":' || m.sms_id || ',') > 0) END,
  m.state = 0 AND r.state = 'read' AND r.publish AND r.wave = 1 AND r.wave_wait_ms IS NOT NULL
    AND EXISTS (SELECT FROM outbox AS o WHERE o.run_id = r.id AND o.wave > r.wave AND o.published_at IS NULL
                AND strpos(o.body, '"sms_id":' || m.sms_id || ',') > 0),
  m.parts
FROM message AS m
JOIN run AS r ON r.id = m.run_id
JOIN rule AS u ON u.id = r.rule_id
LEFT JOIN word AS g ON g.id = m.gateway
LEFT JOIN word AS e ON e.id = m.reason
WHERE m.number = $1::bigint AND ($2::text = '' OR u.name = $2::text)
ORDER BY m.sms_id DESC
LIMIT $3::bigint
