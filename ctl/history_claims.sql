-- The next attempt is claimed by nobody where the last one is settled or none was made. An open one loses its owner: what
-- a dispatcher still wants to settle belongs to the history that was lost. The same for a message in doubt that was to be
-- sent again because a look-up had proven it (settled 4): that attempt may have been made in the lost history.
WITH disowned AS (
  UPDATE claim AS c SET owner = 0 FROM message AS m
  WHERE c.sms_id >= $1::bigint AND c.sms_id < $2::bigint AND m.sms_id >= $1::bigint AND m.sms_id < $2::bigint
    AND c.sms_id = m.sms_id AND m.state IN (0, 10) AND c.kind = 0 AND c.settled = 0
)
INSERT INTO claim (sms_id, segment, attempt, kind, settled, gateway, owner, claimed_at)
SELECT m.sms_id, 1, coalesce(l.attempt, 0) + 1, 0, 0, m.gateway, 0, now()
FROM message AS m
LEFT JOIN LATERAL (
  SELECT attempt, settled, kind
  FROM claim
  WHERE sms_id = m.sms_id AND segment = 1 AND sms_id >= $1::bigint AND sms_id < $2::bigint
  ORDER BY attempt DESC
  LIMIT 1) AS l ON true
WHERE m.sms_id >= $1::bigint AND m.sms_id < $2::bigint AND (m.state IN (0, 10) OR (m.state = 20 AND l.settled = 4))
  AND (l.attempt IS NULL OR (l.settled <> 0 AND l.kind = 0))
ORDER BY m.sms_id
ON CONFLICT DO NOTHING
