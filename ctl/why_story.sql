-- What happened to message $1: its claims, the gateway's ids, everything that was told of it.
SELECT t.at, t.what, t.attempt, coalesce(g.word, ''), t.detail, t.state, t.segment
FROM (
  SELECT claimed_at AS at, 1 AS rank,
    CASE kind WHEN 0 THEN 'claimed' WHEN 40 THEN 'claimed as stale' WHEN 41 THEN 'claimed as suppressed'
              ELSE 'claimed as cancelled' END AS what,
    NULL::smallint AS state, segment, attempt, gateway,
    CASE settled WHEN 1 THEN 'its dispatcher ended before sending it' WHEN 2 THEN 'not sent'
                 WHEN 3 THEN 'refused for now, to be tried again' ELSE '' END AS detail
  FROM claim WHERE sms_id = $1::bigint
  UNION ALL
  SELECT accepted_at, 2, 'accepted', NULL, segment, attempt, gateway, 'msg_id ' || coalesce(raw_msg_id, msg_id)
  FROM msg_map WHERE sms_id = $1::bigint
  UNION ALL
  SELECT v.at, 3, CASE v.step WHEN 102 THEN 'report' ELSE 'outcome' END, v.state, v.segment, v.attempt, v.gateway,
    concat_ws(', ', coalesce(w.word, ''), nullif(v.error, ''),
              'at the gateway ' || to_char(v.gateway_at, 'YYYY-MM-DD HH24:MI:SS'), 'told by ' || v.origin)
  FROM event AS v LEFT JOIN word AS w ON w.id = v.reason
  WHERE v.sms_id = $1::bigint
) AS t LEFT JOIN word AS g ON g.id = t.gateway
ORDER BY t.at, t.rank, t.segment
