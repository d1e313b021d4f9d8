-- $1 messages in parts that are entered now, $2 their rows in inbound, 0: told before.
UPDATE inbound_part p SET inbound = m.inbound, text = ''
FROM unnest($1::bigint[], $2::bigint[]) AS m (message, inbound)
WHERE p.inbound IS NULL AND p.message = m.message
