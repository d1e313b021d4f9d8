-- Claims a group of messages of one day. $1 $2: that day's first sms_id and the next day's; arrays in ascending order
-- of the key: $3 sms_id $4 segment $5 number $6 valid_until $7 rule $8 class; $9 the gateway's number, $10 its name;
-- $11 owner and $12 claimed_at name the group; $13: may new claims be made.
-- kind: 0 to be sent; 40 stale, 41 suppressed, 42 cancelled. hold: 0 none, 1 its rule or run, 2 this gateway or all.
-- LIMIT 1 in the lateral parts keeps them lookups by key, however little the planner knows of a fresh partition.
WITH asked AS MATERIALIZED (
  SELECT i.ord, i.sms_id, i.segment, i.number IS NOT DISTINCT FROM m.number AS found, m.state,
         last.attempt AS last_attempt, last.kind AS last_kind, last.settled AS last_settled,
         last.owner = $11::bigint AND last.claimed_at = $12::timestamptz AS last_ours,
         CASE WHEN any_control.yes AND EXISTS (SELECT FROM control WHERE kind = 'cancel' AND
                     (scope, key) IN (('message', i.sms_id::text), ('run', m.run_id::text)))
                OR r.state = 'cancelled' THEN 42
              WHEN EXISTS (SELECT FROM suppression s WHERE s.number = i.number
                     AND (s.scope = 'all' OR (s.scope = 'marketing' AND i.class = 'marketing'))) THEN 41
              WHEN least(i.valid_until, m.valid_until) < now() THEN 40
              ELSE 0 END AS kind,
         CASE WHEN NOT any_control.yes THEN 0
              WHEN EXISTS (SELECT FROM control WHERE kind = 'pause' AND
                     (scope, key) IN (('all', ''), ('gateway', $10::text))) THEN 2
              WHEN EXISTS (SELECT FROM control WHERE kind = 'pause' AND
                     (scope, key) IN (('rule', i.rule), ('run', m.run_id::text))) THEN 1
              ELSE 0 END AS control_hold,
         NOT coalesce(r.publish, true) AS run_holds,
         CASE WHEN last.attempt > 0 THEN (SELECT count(*) FROM claim t
                     WHERE t.sms_id = i.sms_id AND t.segment = i.segment AND t.settled = 3
                       AND t.sms_id >= $1::bigint AND t.sms_id < $2::bigint)
              ELSE 0 END AS tries
  FROM unnest($3::bigint[], $4::int[], $5::bigint[], $6::timestamptz[], $7::text[], $8::text[])
         WITH ORDINALITY AS i (sms_id, segment, number, valid_until, rule, class, ord)
  CROSS JOIN (SELECT EXISTS (SELECT FROM control) AS yes) AS any_control
  LEFT JOIN LATERAL (SELECT number, state, run_id, valid_until FROM message
                     WHERE sms_id = i.sms_id AND sms_id >= $1::bigint AND sms_id < $2::bigint LIMIT 1) m ON true
  LEFT JOIN LATERAL (SELECT attempt, kind, settled, owner, claimed_at FROM claim
                     WHERE sms_id = i.sms_id AND segment = i.segment AND sms_id >= $1::bigint AND sms_id < $2::bigint
                     ORDER BY attempt DESC LIMIT 1) last ON true
  LEFT JOIN run r ON r.id = m.run_id
), made AS (
  INSERT INTO claim (sms_id, segment, attempt, kind, gateway, owner, claimed_at)
  SELECT sms_id, segment, coalesce(last_attempt, 0) + 1, kind, $9::int,
         CASE WHEN kind = 0 THEN $11::bigint ELSE 0 END, $12::timestamptz
  FROM asked
  WHERE found AND (state < 20 OR (state = 20 AND last_settled = 4)) AND $13::boolean
    AND (last_attempt IS NULL OR (last_kind = 0 AND last_settled IN (1, 2, 3, 4)))
    AND (kind <> 0 OR (control_hold = 0 AND NOT run_holds))
  ORDER BY sms_id, segment
  ON CONFLICT (sms_id, segment, attempt) DO NOTHING
  RETURNING sms_id, segment, attempt, kind
)
SELECT a.ord, a.found, a.state, c.attempt, c.kind, a.last_attempt, a.last_kind, a.last_settled,
       coalesce(a.last_ours, false), greatest(a.control_hold, a.run_holds::int), a.tries
FROM asked a LEFT JOIN made c ON c.sms_id = a.sms_id AND c.segment = a.segment
