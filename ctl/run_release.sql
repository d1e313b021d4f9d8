UPDATE run SET state = 'new', why = 'released' WHERE id = $1::bigint AND state = 'held' RETURNING id
