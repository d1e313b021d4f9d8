-- $1 days since 2020, $2 runs, $3 gateways, $4 states, $5 reasons, $6 counts: in the order of the key, so that two flushes
-- meet the rows in the same order.
INSERT INTO stats (day, run_id, gateway, state, reason, count, changed_at)
SELECT date '2020-01-01' + d.day, d.run_id, d.gateway, d.state, d.reason, d.count, now()
FROM unnest($1::int[], $2::bigint[], $3::int[], $4::int[], $5::int[], $6::bigint[]) AS d (day, run_id, gateway, state, reason, count)
ON CONFLICT (run_id, day, gateway, state, reason) DO UPDATE SET count = stats.count + excluded.count, changed_at = excluded.changed_at
