DELETE FROM quarantine WHERE id = $1::bigint RETURNING id
