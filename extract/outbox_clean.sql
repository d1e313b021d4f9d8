DELETE FROM outbox WHERE id IN (
  SELECT id FROM outbox WHERE published_at < now() - $1::bigint * interval '1 millisecond' ORDER BY published_at LIMIT 2000)
