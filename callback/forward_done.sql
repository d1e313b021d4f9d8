UPDATE inbound SET forwarded_at = now(), forward_due_at = NULL, forward_error = NULL WHERE id = $1::bigint
