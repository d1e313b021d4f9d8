-- How many messages each version of template $1 has made by day, from sms_id $2 on; and versions whose text nobody has kept,
-- of messages of the rules $3, which use this template.
WITH used AS MATERIALIZED (
  SELECT version, sms_id >> 36 AS day, run_id, count(*) AS messages FROM message
  WHERE sms_id >= $2::bigint AND version <> 0
  GROUP BY 1, 2, 3
)
SELECT w.word, (date '2020-01-01' + u.day::int)::text, sum(u.messages)::bigint
FROM used u
JOIN word w ON w.id = u.version
LEFT JOIN run r ON r.id = u.run_id
LEFT JOIN rule l ON l.id = r.rule_id
WHERE EXISTS (SELECT FROM template_version t WHERE t.template = $1::text AND t.version = w.word)
   OR (l.name = ANY ($3::text[]) AND NOT EXISTS (SELECT FROM template_version t WHERE t.version = w.word))
GROUP BY 1, 2
ORDER BY 1, 2 DESC
