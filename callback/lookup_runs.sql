-- $1 gateway, $2 first day, $3 state: days and runs that have such messages
SELECT DISTINCT day - date '2020-01-01', run_id FROM stats
WHERE day >= date '2020-01-01' + $2::int AND state = $3::int AND gateway = $1::int AND count > 0
