-- Message $1. What an operator has said of it, and when it is due to leave the outbox, are looked for where they may be what it
-- waits for.
SELECT m.run_id, u.name, r.scheduled_at, m.number, m.created_at, m.valid_until, m.changed_at, m.state, coalesce(g.word, ''),
  coalesce(e.word, ''), m.attempt, m.segments, m.parts, m.lane, coalesce(v.word, ''), coalesce(x.ext_id, ''),
  coalesce((SELECT min(t.template) FROM template_version AS t WHERE t.version = v.word), ''),
  r.state, r.why, r.publish,
  (SELECT string_agg(CASE k.kind WHEN 'pause' THEN 'paused' ELSE 'cancelled' END || ': ' || k.scope
                     || CASE WHEN k.key <> '' THEN ' ' || k.key ELSE '' END || ' since '
                     || to_char(k.since, 'YYYY-MM-DD HH24:MI:SS') || ' by ' || k.by
                     || CASE WHEN k.reason <> '' THEN ' (' || k.reason || ')' ELSE '' END, '; ' ORDER BY k.since)
   FROM control AS k
   WHERE k.scope = 'all' OR (k.scope, k.key) IN (('rule', u.name), ('run', r.id::text), ('message', m.sms_id::text),
                                                 ('gateway', coalesce(g.word, '')))),
  w.due_at, w.for_wave AND m.state = 0 AND r.state = 'read' AND r.publish, coalesce(r.task_id, '')
FROM message_shown AS m
JOIN run AS r ON r.id = m.run_id
JOIN rule AS u ON u.id = r.rule_id
LEFT JOIN word AS g ON g.id = m.gateway
LEFT JOIN word AS e ON e.id = m.reason
LEFT JOIN word AS v ON v.id = m.version
LEFT JOIN ext AS x ON x.sms_id = $1::bigint
LEFT JOIN LATERAL (SELECT o.due_at, o.for_wave FROM message_waits(m.sms_id, m.run_id) AS o WHERE m.state IN (0, 10)) AS w ON true
WHERE m.sms_id = $1::bigint
