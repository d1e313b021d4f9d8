-- $1 id, $2 ms until the next try, $3 ms after which it is given up, $4 what went wrong. Has another process brought it
-- there meanwhile, that stays. Gives whether it is given up.
UPDATE inbound SET forward_error = $4::text,
  forward_due_at = CASE WHEN at > now() - $3::bigint * interval '1 millisecond' THEN now() + $2::bigint * interval '1 millisecond' END
WHERE id = $1::bigint AND forwarded_at IS NULL
RETURNING forward_due_at IS NULL
