INSERT INTO run (rule_id, scheduled_at, origin, state, why)
VALUES ($1::bigint, now(), 'person', CASE WHEN $2::text = '' THEN 'new' ELSE 'held' END, $2::text)
ON CONFLICT (rule_id, scheduled_at) DO NOTHING
RETURNING id
