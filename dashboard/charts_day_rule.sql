-- The same with rules: $1 from day, $2 by 1 state, 2 gateway, 3 reason, 4 rule, $3 gateway (null: all), $4 rule (null: all).
SELECT (s.day - date '2020-01-01')::bigint, CASE $2::int WHEN 1 THEN s.state WHEN 2 THEN s.gateway WHEN 3 THEN s.reason ELSE r.rule_id END,
       sum(s.count)::bigint
FROM stats AS s JOIN run AS r ON r.id = s.run_id
WHERE s.day >= date '2020-01-01' + $1::int AND ($3::int IS NULL OR s.gateway = $3) AND ($4::int IS NULL OR r.rule_id = $4)
  AND ($2::int <> 3 OR s.reason <> 0)
GROUP BY 1, 2
HAVING sum(s.count) <> 0
