-- Parts of messages from phones, in the order in which they came. $1 gateways, $2 numbers, $3 senders, $4 recipients, $5 texts,
-- $6 the gateways' ids, $7 the gateways' times, $8 times of receipt, $9 the earlier of both, $10 digests, $11 references,
-- $12 how many parts, $13 which, $14 so many ms the others are waited for. Gives the messages that have got a part.
SELECT DISTINCT made.message
FROM (
  SELECT inbound_part_add(i.gateway, i.number, i.sender, i.recipient, i.text, i.msg_id, i.gateway_at, i.at, i.said_at, i.digest,
                          i.reference, i.parts, i.part, $14::bigint) AS message
  FROM unnest($1::int[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[],
              $9::timestamptz[], $10::uuid[], $11::int[], $12::int[], $13::int[])
    WITH ORDINALITY AS i (gateway, number, sender, recipient, text, msg_id, gateway_at, at, said_at, digest, reference, parts, part, n)
  ORDER BY i.n
) AS made
WHERE made.message IS NOT NULL
ORDER BY made.message
