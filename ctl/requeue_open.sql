-- Messages of run $1 that are open and not claimed just now: $2 this one only (0 any), $3 older than so many ms. A claim's
-- lookup is a subquery, so that it reads one day's partition. A segment that has its end is not in the way of the others.
SELECT m.sms_id, m.valid_until
FROM message AS m
WHERE m.run_id = $1::bigint AND m.state IN (0, 10) AND ($2::bigint = 0 OR m.sms_id = $2::bigint)
  AND m.changed_at <= now() - $3::bigint * interval '1 millisecond'
  AND (SELECT count(*) FROM claim AS c WHERE c.sms_id = m.sms_id AND (c.settled = 0 OR c.kind <> 0)
         AND NOT (c.parts > 1 AND (SELECT count(*) FROM segment AS s WHERE s.sms_id = c.sms_id AND s.segment = c.segment AND s.state >= 20) > 0)) = 0
ORDER BY m.sms_id
