-- What gateways wrote with the newest failures, at most $1 of each state; from message id $2 on
SELECT coalesce(g.word, ''), w.word, e.error, count(*)
FROM unnest(ARRAY[43, 60, 70, 80]::smallint[]) AS s (state)
CROSS JOIN LATERAL (
  SELECT v.sms_id, v.segment, v.attempt, v.gateway, v.reason, v.error FROM event_shown AS v
  WHERE v.state = s.state AND v.state <> 90 AND v.sms_id >= $2::bigint
  ORDER BY v.sms_id DESC LIMIT $1::bigint) AS e
JOIN word AS w ON w.id = e.reason
LEFT JOIN word AS g ON g.id = e.gateway
WHERE e.error <> ''
GROUP BY 1, 2, 3
ORDER BY 4 DESC
LIMIT 500
