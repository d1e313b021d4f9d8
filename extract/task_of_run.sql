SELECT task_id FROM run WHERE id = $1::bigint
