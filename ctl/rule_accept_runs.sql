UPDATE run SET state = 'new', why = 'accepted' WHERE rule_id = $1::bigint AND state = 'held' AND why = $2::text RETURNING id
