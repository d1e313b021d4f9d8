-- Of the messages $1 those that fit: $2 states (null: any), $3 gateway (0 any), $4 run (0 any), $5 rule ('' any), $6 $7 entered from
-- and before (null: any). At most $8, the newest first.
WITH fitting AS MATERIALIZED (
  SELECT i.* FROM unnest($1::bigint[]) AS asked (sms_id)
  CROSS JOIN LATERAL (SELECT * FROM message_shown AS o WHERE o.sms_id = asked.sms_id LIMIT 1) AS i
  WHERE ($2::int[] IS NULL OR i.state = ANY ($2::int[])) AND ($3::int = 0 OR i.gateway = $3::int)
    AND ($4::bigint = 0 OR i.run_id = $4::bigint)
    AND ($6::timestamptz IS NULL OR i.created_at >= $6::timestamptz) AND ($7::timestamptz IS NULL OR i.created_at < $7::timestamptz)
    AND ($5::text = '' OR EXISTS (SELECT FROM run AS r JOIN rule AS u ON u.id = r.rule_id WHERE r.id = i.run_id AND u.name = $5::text))
  ORDER BY i.sms_id DESC
  LIMIT $8::bigint)
SELECT m.sms_id, m.created_at, m.changed_at, m.number, u.name, m.run_id, m.state, coalesce(e.word, ''), coalesce(g.word, ''), m.attempt,
  m.segments, m.parts, coalesce(v.word, ''),
  coalesce((SELECT x.ext_id FROM ext AS x WHERE x.sms_id = m.sms_id LIMIT 1), '')
FROM fitting AS m
CROSS JOIN LATERAL (SELECT i.rule_id FROM run AS i WHERE i.id = m.run_id LIMIT 1) AS r
JOIN rule AS u ON u.id = r.rule_id
LEFT JOIN word AS g ON g.id = m.gateway
LEFT JOIN word AS e ON e.id = m.reason
LEFT JOIN word AS v ON v.id = m.version
ORDER BY m.sms_id DESC
