-- How many messages came into a state: $1 from, $2 seconds a column, $3 gateway (null: all).
SELECT floor(extract(epoch FROM minute) / $2::int)::bigint, state, gateway, sum(count)::bigint
FROM stats_minute
WHERE minute >= $1::timestamptz AND ($3::int IS NULL OR gateway = $3) AND state <> 10
GROUP BY 1, 2, 3
