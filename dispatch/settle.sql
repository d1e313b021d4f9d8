-- Settles claims of one day that were made but certainly not accepted, and puts those that wait long into the outbox,
-- in one transaction. $1 $2: the day's bounds; $3 owner; arrays: $4 sms_id $5 segment $6 attempt $7 settled $8 due_at
-- (null: it waits in memory) $9 body; $10 target.
WITH asked AS MATERIALIZED (
  SELECT * FROM unnest($4::bigint[], $5::int[], $6::int[], $7::int[], $8::timestamptz[], $9::text[])
    AS i (sms_id, segment, attempt, settled, due_at, body)
), settled AS (
  UPDATE claim c SET settled = i.settled FROM asked i
  WHERE c.sms_id >= $1::bigint AND c.sms_id < $2::bigint
    AND c.sms_id = i.sms_id AND c.segment = i.segment AND c.attempt = i.attempt
    AND c.owner = $3::bigint AND c.kind = 0 AND c.settled = 0
)
INSERT INTO outbox (due_at, target, body) SELECT due_at, $10::text, body FROM asked WHERE due_at IS NOT NULL
