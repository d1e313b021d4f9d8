-- Step 110 in_doubt for the last attempt of each, of a message in parts for that of each open segment, in chunks for the
-- outbox. Shard 0 serves where there is one shard only; else the shards' consumers all take any message (a flush locks rows,
-- not gateways). Gives how many messages.
WITH open AS (
  SELECT m.sms_id, m.number, n.segment, l.attempt, coalesce(f.parts, 1) AS parts, g.word AS gateway,
         row_number() OVER (ORDER BY m.sms_id, n.segment) AS n
  FROM message AS m
  LEFT JOIN LATERAL (
    SELECT parts, gateway
    FROM claim
    WHERE sms_id = m.sms_id AND segment = 1 AND sms_id >= $1::bigint AND sms_id < $2::bigint
    ORDER BY attempt DESC
    LIMIT 1) AS f ON true
  CROSS JOIN LATERAL generate_series(1, coalesce(f.parts, 1)) AS n (segment)
  JOIN LATERAL (
    SELECT attempt
    FROM claim
    WHERE sms_id = m.sms_id AND segment = n.segment AND sms_id >= $1::bigint AND sms_id < $2::bigint
    ORDER BY attempt DESC
    LIMIT 1) AS l ON true
  LEFT JOIN LATERAL (
    SELECT state
    FROM segment
    WHERE f.parts > 1 AND sms_id = m.sms_id AND segment = n.segment AND sms_id >= $1::bigint AND sms_id < $2::bigint) AS s ON true
  LEFT JOIN word AS g ON g.id = CASE WHEN f.parts > 1 THEN f.gateway ELSE m.gateway END
  WHERE m.sms_id >= $1::bigint AND m.sms_id < $2::bigint AND m.state IN (0, 10)
    AND (f.parts IS NULL OR f.parts = 1 OR coalesce(s.state, 0) IN (0, 10))
), chunks AS (
  INSERT INTO outbox (due_at, target, body)
  SELECT now(), 'sms.update.' || (((n - 1) / $5::int) % $6::int),
         '{"v":' || $3::int || ',"kind":"steps","records":[' ||
         string_agg(json_strip_nulls(json_build_object('step', 110, 'at', $4::bigint, 'seq_id', sms_id || '.' || segment || '.' || attempt,
                                      'parts', CASE WHEN parts > 1 THEN parts END, 'number', number,
                                      'gateway', gateway, 'state', 'in_doubt', 'reason', 'history_lost', 'origin', 'person'))::text,
                    ',' ORDER BY n) || ']}'
  FROM open
  GROUP BY (n - 1) / $5::int
  RETURNING 1
)
SELECT count(DISTINCT sms_id) FROM open
