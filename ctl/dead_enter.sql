-- One body out of sms.dead: $1 the queue it came from, $2 why, $3 body, $4 its SHA-256, $5 is it text, $6 when it died.
-- The same body of the same queue that died at the same time is the same delivery, come again after a crash. At another
-- time it has died once more: after a replay that is said, also where the replay went to another queue.
INSERT INTO dead (queue, why, body, digest, is_text, died_at, state)
VALUES ($1::text, $2::text, $3::bytea, $4::bytea, $5::boolean, $6::timestamptz,
  CASE WHEN EXISTS (SELECT FROM dead r WHERE r.digest = $4::bytea AND r.replayed_to = $1::text) THEN 'again' ELSE 'waiting' END)
ON CONFLICT (digest, queue) DO UPDATE SET times = dead.times + 1, why = excluded.why, died_at = excluded.died_at,
  settled_at = NULL, settled_by = '', note = '',
  state = CASE WHEN dead.replayed_to <> '' THEN 'again' ELSE 'waiting' END
WHERE dead.died_at IS DISTINCT FROM excluded.died_at
