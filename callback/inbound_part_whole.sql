-- Messages whose parts are all there, among $1, and at most $2 that have waited long enough, whichever they are.
SELECT p.message, w.word, p.number, p.sender, p.recipient, string_agg(p.text, '' ORDER BY p.part),
       (array_agg(p.msg_id ORDER BY p.part))[1], min(p.gateway_at), min(p.at), min(p.said_at), p.parts, p.parts - count(*),
       min(p.part) = 1, p.reference
FROM inbound_part p JOIN word w ON w.id = p.gateway
WHERE p.inbound IS NULL AND p.message IN (
  SELECT unnest($1::bigint[])
  UNION
  SELECT message FROM (SELECT DISTINCT d.message FROM inbound_part d WHERE d.inbound IS NULL AND d.due_at <= now()
                       ORDER BY d.message LIMIT $2::int) AS due)
GROUP BY p.message, w.word, p.number, p.sender, p.recipient, p.parts, p.reference
HAVING count(*) = p.parts OR min(p.due_at) <= now()
ORDER BY p.message
