-- $1 queue, $2 body
INSERT INTO outbox (due_at, target, body) VALUES (now(), $1::text, $2::text)
