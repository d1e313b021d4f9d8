-- Step 110 in_doubt for the last attempt of each, in chunks for the outbox. Shard 0 serves where there is one shard
-- only; else the shards' consumers all take any message (a flush locks rows, not gateways).
WITH open AS (
  SELECT m.sms_id, m.number, l.attempt, g.word AS gateway, row_number() OVER (ORDER BY m.sms_id) AS n
  FROM message AS m
  JOIN LATERAL (
    SELECT attempt
    FROM claim
    WHERE sms_id = m.sms_id AND segment = 1 AND sms_id >= $1::bigint AND sms_id < $2::bigint
    ORDER BY attempt DESC
    LIMIT 1) AS l ON true
  LEFT JOIN word AS g ON g.id = m.gateway
  WHERE m.sms_id >= $1::bigint AND m.sms_id < $2::bigint AND m.state IN (0, 10)
), chunks AS (
  INSERT INTO outbox (due_at, target, body)
  SELECT now(), 'sms.update.' || (((n - 1) / $5::int) % $6::int),
         '{"v":' || $3::int || ',"kind":"steps","records":[' ||
         string_agg(json_strip_nulls(json_build_object('step', 110, 'at', $4::bigint, 'seq_id', sms_id || '.1.' || attempt, 'number', number,
                                      'gateway', gateway, 'state', 'in_doubt', 'reason', 'history_lost', 'origin', 'person'))::text,
                    ',' ORDER BY n) || ']}'
  FROM open
  GROUP BY (n - 1) / $5::int
  RETURNING 1
)
SELECT count(*) FROM open
