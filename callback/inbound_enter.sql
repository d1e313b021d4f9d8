-- New messages from phones; those that were told before stay as they are. $1 gateways, $2 numbers, $3 senders,
-- $4 recipients, $5 texts, $6 the gateways' ids, $7 the gateways' times, $8 times of receipt, $9 the earlier of both,
-- $10 digests, $11 keywords, $12 languages, $13 which ones are to be forwarded,
-- $14 how many parts they came in, $15 how many of those are missing. Gives the place (from 1) and id of each.
WITH input AS MATERIALIZED (
  SELECT * FROM unnest($1::int[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
                       $8::timestamptz[], $9::timestamptz[], $10::uuid[], $11::text[], $12::text[], $13::int[], $14::int[], $15::int[])
    WITH ORDINALITY AS i (gateway, number, sender, recipient, text, msg_id, gateway_at, at, said_at, digest, keyword,
                          language, forward, parts, missing, n)
), made AS (
  INSERT INTO inbound (gateway, number, sender, recipient, text, msg_id, gateway_at, at, said_at, digest, keyword,
                       language, forward_due_at, parts, missing)
  SELECT gateway, number, sender, recipient, text, msg_id, gateway_at, at, said_at, digest, keyword, language,
         CASE WHEN forward > 0 THEN now() END, parts, missing
  FROM input ORDER BY n
  ON CONFLICT (digest) DO NOTHING
  RETURNING id, digest
)
SELECT min(i.n), m.id FROM made m JOIN input i ON i.digest = m.digest GROUP BY m.id ORDER BY m.id
