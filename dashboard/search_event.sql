-- Messages of which a state $1 (none of them delivered) was told, from id $2 up to but not including $3, the newest $4.
SELECT DISTINCT e.sms_id
FROM unnest($1::int[]) AS s (state)
CROSS JOIN LATERAL (
  SELECT DISTINCT v.sms_id FROM event AS v
  WHERE v.state = s.state AND v.state <> 90 AND v.sms_id >= $2::bigint AND v.sms_id < $3::bigint
  ORDER BY v.sms_id DESC LIMIT $4::bigint) AS e
ORDER BY e.sms_id DESC
LIMIT $4::bigint
