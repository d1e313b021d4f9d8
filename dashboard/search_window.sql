-- A bounded walk down the ids of one day, $1 up to but not including $2: at most $3 ids wide from the newest there is. $4 states
-- (null: any), $5 gateway (0 any), $6 at most, $7 $8 entered from and before (null: any). The second column is how far down it has looked; no row: nothing is left.
WITH newest AS MATERIALIZED (
  SELECT sms_id FROM message_masked WHERE sms_id >= $1::bigint AND sms_id < $2::bigint ORDER BY sms_id DESC LIMIT 1)
SELECT m.sms_id, greatest(n.sms_id - $3::bigint + 1, $1::bigint)
FROM newest AS n
LEFT JOIN LATERAL (
  SELECT i.sms_id FROM message_masked AS i
  WHERE i.sms_id <= n.sms_id AND i.sms_id > n.sms_id - $3::bigint AND i.sms_id >= $1::bigint AND i.sms_id < $2::bigint
    AND ($7::timestamptz IS NULL OR i.created_at >= $7::timestamptz) AND ($8::timestamptz IS NULL OR i.created_at < $8::timestamptz)
    AND ($4::int[] IS NULL OR i.state = ANY ($4::int[])) AND ($5::int = 0 OR i.gateway = $5::int)
  ORDER BY i.sms_id DESC LIMIT $6::bigint) AS m ON true
