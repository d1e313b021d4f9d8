-- Enters requests on demand: see enter_asked in schema/0013. $1 callers, $2 their caps, $3 keys, $4 bodies, $5 numbers, $6 marketing,
-- $7 lanes, $8 when due, $9 valid until, $10 records (null: only looked up), $11 and $12 what a chunk begins and ends with, $13 ids that
-- the callers give them. The last column: seconds to midnight, when a daily cap begins anew.
WITH entered AS MATERIALIZED (
  SELECT e.n, e.outcome, e.sms_id, e.why
  FROM enter_asked($1::text[], $2::bigint[], $3::uuid[], $4::uuid[], $5::bigint[], $6::int[], $7::int[], $8::timestamptz[],
                   $9::timestamptz[], $10::text[], $11::text, $12::text) AS e
), named AS (
  INSERT INTO ext (sms_id, ext_id)
  SELECT e.sms_id, ($13::text[])[e.n] FROM entered e WHERE e.outcome = 'new' AND ($13::text[])[e.n] IS NOT NULL ORDER BY e.sms_id
)
SELECT e.n, e.outcome, e.sms_id, e.why, extract(epoch FROM date_trunc('day', now(), 'UTC') + interval '1 day' - now())::bigint + 1
FROM entered e ORDER BY e.n
