-- $1 ids that were taken and not tried, $2 ms until they are due again
UPDATE inbound SET forward_due_at = now() + $2::bigint * interval '1 millisecond', forward_tries = forward_tries - 1
WHERE id = ANY ($1::bigint[]) AND forwarded_at IS NULL
