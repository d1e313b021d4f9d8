SELECT id, queue, state, times, died_at, octet_length(body), why, taken_at, replayed_to, settled_at, settled_by, note, is_text,
  encode(body, 'hex')
FROM dead
WHERE id = $1::bigint
