-- No such queue: kept, and tried again a little later.
UPDATE outbox SET due_at = now() + interval '30 seconds' WHERE id = ANY ($1::bigint[])
