INSERT INTO run (rule_id, scheduled_at, origin, state, why)
VALUES ($1::bigint, $2::timestamptz, 'schedule', 'skipped', 'history lost')
ON CONFLICT (rule_id, scheduled_at) DO NOTHING
RETURNING id
