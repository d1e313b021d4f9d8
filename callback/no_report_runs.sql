-- $1 … $2 days since 2020: where accepted messages are left at all
SELECT DISTINCT day - date '2020-01-01', run_id FROM stats
WHERE day >= date '2020-01-01' + $1 AND day <= date '2020-01-01' + $2 AND state = 30 AND count > 0
