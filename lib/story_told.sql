-- What happened to message $1: its claims, the gateway's ids, everything that was told of it.
SELECT t.step, t.at, t.segment, t.attempt, coalesce(g.word, ''), t.state, t.kind, t.settled, t.owner, t.msg_id, t.reason, t.error,
  t.origin, t.gateway_at
FROM (
  SELECT 100 AS step, claimed_at AS at, segment, attempt, gateway, NULL::smallint AS state, kind, settled, owner, NULL::text AS msg_id,
    NULL::text AS reason, NULL::text AS error, NULL::text AS origin, NULL::timestamptz AS gateway_at
  FROM claim WHERE sms_id = $1::bigint
  UNION ALL
  SELECT 101, accepted_at, segment, attempt, gateway, NULL, NULL, NULL, NULL, coalesce(raw_msg_id, msg_id), NULL, NULL, NULL, NULL
  FROM msg_map WHERE sms_id = $1::bigint
  UNION ALL
  SELECT v.step, v.at, v.segment, v.attempt, v.gateway, v.state, NULL, NULL, NULL, NULL, w.word, v.error, v.origin, v.gateway_at
  FROM event_shown AS v LEFT JOIN word AS w ON w.id = v.reason
  WHERE v.sms_id = $1::bigint
) AS t LEFT JOIN word AS g ON g.id = t.gateway
ORDER BY t.at, least(t.step, 102), t.segment, t.attempt
