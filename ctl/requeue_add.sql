INSERT INTO outbox (due_at, target, body, run_id) VALUES (now(), $1::text, $2::text, $3::bigint)
