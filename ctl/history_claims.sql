-- $1 … $2 one day. The next attempt is claimed by nobody where the last one is settled or none was made. An open one loses its
-- owner: what a dispatcher still wants to settle belongs to the history that was lost. The same for a message in doubt that was
-- to be sent again because a look-up had proven it (settled 4): that attempt may have been made in the lost history. Of a
-- message in parts each segment has its own last attempt; the segments are those that segment 1's last claim names.
WITH disowned AS (
  UPDATE claim AS c SET owner = 0 FROM message AS m
  WHERE c.sms_id >= $1::bigint AND c.sms_id < $2::bigint AND m.sms_id >= $1::bigint AND m.sms_id < $2::bigint
    AND c.sms_id = m.sms_id AND m.state IN (0, 10) AND c.kind = 0 AND c.settled = 0
)
INSERT INTO claim (sms_id, segment, attempt, kind, settled, gateway, owner, claimed_at, parts, way)
SELECT m.sms_id, n.segment, coalesce(l.attempt, 0) + 1, 0, 0, CASE WHEN f.parts > 1 THEN f.gateway ELSE m.gateway END, 0, now(),
       coalesce(f.parts, 1), coalesce(f.way, 0)
FROM message AS m
LEFT JOIN LATERAL (
  SELECT parts, way, gateway
  FROM claim
  WHERE sms_id = m.sms_id AND segment = 1 AND sms_id >= $1::bigint AND sms_id < $2::bigint
  ORDER BY attempt DESC
  LIMIT 1) AS f ON true
CROSS JOIN LATERAL generate_series(1, coalesce(f.parts, 1)) AS n (segment)
LEFT JOIN LATERAL (
  SELECT attempt, settled, kind
  FROM claim
  WHERE sms_id = m.sms_id AND segment = n.segment AND sms_id >= $1::bigint AND sms_id < $2::bigint
  ORDER BY attempt DESC
  LIMIT 1) AS l ON true
LEFT JOIN LATERAL (
  SELECT state
  FROM segment
  WHERE f.parts > 1 AND sms_id = m.sms_id AND segment = n.segment AND sms_id >= $1::bigint AND sms_id < $2::bigint) AS s ON true
WHERE m.sms_id >= $1::bigint AND m.sms_id < $2::bigint AND m.state IN (0, 10, 20)
  AND CASE WHEN f.parts > 1 THEN coalesce(s.state, 0) ELSE m.state END
      = ANY (CASE WHEN l.settled = 4 THEN ARRAY[0, 10, 20] ELSE ARRAY[0, 10] END)
  AND (l.attempt IS NULL OR (l.settled <> 0 AND l.kind = 0))
ORDER BY m.sms_id, n.segment
ON CONFLICT DO NOTHING
