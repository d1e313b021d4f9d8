-- $1 a rule's name, $2 a gateway's, '' any: does each exist, and the gateway's number
SELECT $1::text = '' OR EXISTS (SELECT FROM rule WHERE name = $1::text),
       coalesce((SELECT id FROM word WHERE kind = 'gateway' AND word = $2::text), 0)
