-- Cancels message $1 if nobody has claimed it: the claim that it is not sent, by nobody, and the step that tells it, to queue $2
-- with body $3. The key of its first claim is what every dispatcher asks for as well, so exactly one gets it. No row: another did.
WITH made AS (
  INSERT INTO claim (sms_id, segment, attempt, kind, gateway, owner, claimed_at)
  VALUES ($1::bigint, 1, 1, 42, 0, 0, now())
  ON CONFLICT (sms_id, segment, attempt) DO NOTHING
  RETURNING sms_id
)
INSERT INTO outbox (due_at, target, body)
SELECT now(), $2::text, $3::text FROM made
RETURNING id
