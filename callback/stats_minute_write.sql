-- $1 minutes, $2 gateways, $3 states, $4 counts, in the order of the key
INSERT INTO stats_minute (minute, gateway, state, count)
SELECT d.minute, d.gateway, d.state, d.count
FROM unnest($1::timestamptz[], $2::int[], $3::int[], $4::bigint[]) AS d (minute, gateway, state, count)
ON CONFLICT (minute, gateway, state) DO UPDATE SET count = stats_minute.count + excluded.count
