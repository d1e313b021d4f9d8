-- The gateway says that it never took this attempt. That counts where our side is over with it for certain: the dispatcher
-- itself has told that it is in doubt, or its slots have after its death (a doubt told by a sweep may be about a process
-- that was stopped just before the first byte, and goes on); long enough ago; and no history was lost since, in which
-- another attempt may have been made.
-- $1 sms_id, $2 segment, $3 attempt, $4 $5 the day's bounds, $6 ms since it is in doubt. Gives the chunk that its row went out
-- with, if that is kept still.
SELECT r.target, r.run_id, r.body
FROM claim c
LEFT JOIN LATERAL (
  SELECT o.target, o.run_id, o.body FROM message m JOIN outbox o ON o.run_id = m.run_id
  WHERE m.sms_id = $1::bigint AND m.sms_id >= $4::bigint AND m.sms_id < $5::bigint
    AND o.due_at >= m.created_at - interval '1 minute' AND o.due_at <= m.created_at + interval '1 day'
    AND o.target LIKE 'sms.render.%' AND strpos(o.body, '"sms_id":' || $1::bigint || ',') > 0
  ORDER BY o.id LIMIT 1) r ON true
WHERE c.sms_id = $1::bigint AND c.segment = $2::int AND c.attempt = $3::int AND c.sms_id >= $4::bigint AND c.sms_id < $5::bigint
  AND c.kind = 0 AND c.settled = 0
  AND EXISTS (SELECT FROM message m LEFT JOIN segment g ON g.sms_id = m.sms_id AND g.segment = $2::int AND m.parts > 1
                  AND g.sms_id >= $4::bigint AND g.sms_id < $5::bigint
                WHERE m.sms_id = $1::bigint AND m.sms_id >= $4::bigint AND m.sms_id < $5::bigint AND m.state <= 20
                  AND CASE WHEN m.parts > 1 THEN g.state ELSE m.state END = 20
                  AND CASE WHEN m.parts > 1 THEN g.attempt ELSE m.attempt END = $3::int)
  AND NOT EXISTS (SELECT FROM claim n WHERE n.sms_id = $1::bigint AND n.sms_id >= $4::bigint AND n.sms_id < $5::bigint
                    AND n.segment = $2::int AND n.attempt > $3::int)
  AND NOT EXISTS (SELECT FROM msg_map x WHERE x.sms_id = $1::bigint AND x.sms_id >= $4::bigint AND x.sms_id < $5::bigint
                    AND x.segment = $2::int AND x.attempt = $3::int)
  AND EXISTS (SELECT FROM event e WHERE e.sms_id = $1::bigint AND e.sms_id >= $4::bigint AND e.sms_id < $5::bigint
                AND e.segment = $2::int AND e.attempt = $3::int AND e.state = 20 AND (e.origin IS NULL OR e.origin = 'slots'))
  AND NOT EXISTS (SELECT FROM event e WHERE e.sms_id = $1::bigint AND e.sms_id >= $4::bigint AND e.sms_id < $5::bigint
                    AND e.segment = $2::int AND e.attempt = $3::int AND e.state = 20
                    AND e.at > now() - $6::bigint * interval '1 millisecond')
  AND (SELECT generation = 1 OR c.claimed_at > accepted_at FROM database_history)
