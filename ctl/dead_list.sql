-- A page of the list: $1 after this id, $2 of this queue ('' any), $3 the settled ones too.
SELECT id, queue, state, times, died_at, octet_length(body), why, taken_at, replayed_to, settled_at, settled_by, note, is_text
FROM dead
WHERE id > $1::bigint AND ($2::text = '' OR queue = $2::text) AND ($3::boolean OR state IN ('waiting', 'again'))
ORDER BY id
LIMIT 500
