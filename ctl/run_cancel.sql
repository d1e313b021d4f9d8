UPDATE run SET state = CASE WHEN state IN ('new', 'held', 'failed') THEN 'cancelled' ELSE state END,
       why = CASE WHEN state IN ('new', 'held', 'failed') THEN 'cancelled' ELSE why END, publish = true, wave = 2
WHERE id = $1::bigint
RETURNING id
