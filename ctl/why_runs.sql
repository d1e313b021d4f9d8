-- What runs made of a number: $1 its digits and what may have stood in their place, $2 the number, $3 one rule (all its runs)
-- or '' (the last run of each), $4 since so many ms, $5 at most. The last column: skipped rows of this run can be found by number.
SELECT r.id, u.name, r.scheduled_at, r.state, r.why, r.pass_complete,
  (SELECT max(m.sms_id) FROM message AS m WHERE m.number = $2::bigint AND m.run_id = r.id),
  (SELECT count(*) FROM run_skip AS s, number_salt AS n, unnest($1::text[]) AS asked (text)
   WHERE s.run_id = r.id AND s.number_hash = salted_hash(n.salt, asked.text)),
  r.created_at >= (SELECT applied_at FROM schema_migrations WHERE name = 'operator')
FROM run AS r JOIN rule AS u ON u.id = r.rule_id
WHERE r.scheduled_at >= now() - $4::bigint * interval '1 millisecond' AND r.scheduled_at <= now()
  AND (r.origin NOT IN ('inbound', 'test', 'heartbeat', 'api') OR $3::text <> '') -- such a run reads nothing: its messages say all of it
  AND CASE WHEN $3::text <> '' THEN u.name = $3::text
           ELSE r.id = (SELECT max(l.id) FROM run AS l WHERE l.rule_id = r.rule_id) END
ORDER BY r.scheduled_at DESC, r.id DESC
LIMIT $5::bigint
