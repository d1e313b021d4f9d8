-- $1 ms: requests on demand are remembered so long; a few at a time.
DELETE FROM request WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM request WHERE asked_at < now() - $1::bigint * interval '1 millisecond' ORDER BY asked_at LIMIT 5000))
