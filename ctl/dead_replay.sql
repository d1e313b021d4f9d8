-- Gives bodies back: into the outbox and out of those that wait, in one statement, so that each goes exactly once however
-- often this is killed and said again. $1 these ids, or null: all that wait, of queue $2; $3 the queue to give
-- them to ('': the one they came from).
WITH picked AS MATERIALIZED (
  SELECT id, body, CASE WHEN $3::text <> '' THEN $3::text ELSE queue END AS target
  FROM dead
  WHERE is_text AND CASE WHEN $1::bigint[] IS NULL THEN state = 'waiting' AND queue = $2::text
                         ELSE id = ANY ($1::bigint[]) AND state <> 'replayed' END
  ORDER BY id
  LIMIT 500
  FOR UPDATE
), given_back AS (
  INSERT INTO outbox (due_at, target, body)
  SELECT now(), target, convert_from(body, 'UTF8') FROM picked ORDER BY id
)
UPDATE dead SET state = 'replayed', replayed_to = p.target, settled_at = now(), settled_by = current_user
FROM picked AS p
WHERE dead.id = p.id
RETURNING dead.id
