-- $1 so many, $2 ms: messages that are due. Nobody else takes them for so long; if we are gone by then, they are due again.
WITH due AS MATERIALIZED (
  SELECT id FROM inbound WHERE forward_due_at <= now() ORDER BY forward_due_at, id LIMIT $1::int FOR UPDATE SKIP LOCKED
), taken AS (
  UPDATE inbound i SET forward_due_at = now() + $2::bigint * interval '1 millisecond', forward_tries = forward_tries + 1
  FROM due WHERE i.id = due.id
  RETURNING i.*
)
SELECT t.id, w.word, t.number, t.sender, t.recipient, t.text, t.msg_id, t.gateway_at, t.at, t.keyword, t.digest, t.forward_tries, t.parts, t.missing
FROM taken t JOIN word w ON w.id = t.gateway ORDER BY t.id
