-- $1 these ids, or null: all that wait or died again, of queue $2 ('' any); $3 the reason.
UPDATE dead SET state = 'dropped', note = $3::text, settled_at = now(), settled_by = current_user
WHERE state IN ('waiting', 'again') AND (id = ANY ($1::bigint[]) OR ($1::bigint[] IS NULL AND ($2::text = '' OR queue = $2::text)))
RETURNING id
