-- Messages by the day they were entered on and where they stand now: $1 from day (since 2020), $2 by 1 state, 2 gateway,
-- 3 reason, $3 gateway (null: all).
SELECT (day - date '2020-01-01')::bigint, CASE $2::int WHEN 1 THEN state WHEN 2 THEN gateway ELSE reason END, sum(count)::bigint
FROM stats
WHERE day >= date '2020-01-01' + $1::int AND ($3::int IS NULL OR gateway = $3) AND ($2::int <> 3 OR reason <> 0)
GROUP BY 1, 2
HAVING sum(count) <> 0
