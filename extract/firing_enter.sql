INSERT INTO run (rule_id, scheduled_at, origin, state, why, ended_at)
SELECT $1::int, f.at, f.origin, f.state, f.why, CASE WHEN f.state = 'skipped' THEN now() END
FROM unnest($2::timestamptz[], $3::text[], $4::text[], $5::text[]) AS f (at, origin, state, why)
ON CONFLICT (rule_id, scheduled_at) DO NOTHING
RETURNING id, state
