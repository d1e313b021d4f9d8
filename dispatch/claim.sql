-- Claims a group of messages of one day. $1 $2: that day's first sms_id and the next day's; arrays in ascending order
-- of the key: $3 sms_id $4 segment $5 number $6 valid_until $7 rule $8 class, $14 parts $15 way: how the message is cut;
-- $9 the gateway's number, $10 its name; $11 owner and $12 claimed_at name the group; $13: may new claims be made.
-- kind: 0 to be sent; 40 stale, 41 suppressed, 42 cancelled. hold: 0 none, 1 its rule or run, 2 this gateway or all.
-- LIMIT 1 in the lateral parts keeps them lookups by key, however little the planner knows of a fresh partition.
--
-- A message that was cut is begun while some claim of any of its segments may have left or has left: then the rest goes by
-- that gateway, cut in that way. Where none has, any gateway may have it, and segment 1 is the gate: who gets its key gets all
-- the others, who does not gets none, whatever else is claiming at this moment. The rest of a begun message has no such
-- gate: there the claim by which it is begun is held (FOR SHARE reads it anew), so that it is not settled, and so the message not
-- free for others, before our claims can be seen. No other claim exists where segment 1 has none.
WITH asked AS MATERIALIZED (
  SELECT i.ord, i.sms_id, i.segment, i.parts, i.way, i.number IS NOT DISTINCT FROM m.number AS found,
         CASE WHEN begun.parts > 1 AND m.state < 40 THEN coalesce(stand.state, 0) ELSE m.state END AS state,
         last.attempt AS last_attempt, last.kind AS last_kind, last.settled AS last_settled, last.parts AS last_parts,
         last.owner = $11::bigint AND last.claimed_at = $12::timestamptz AS last_ours,
         begun.segment AS begun_segment, begun.attempt AS begun_attempt, begun.gateway AS begun_gateway,
         begun.parts AS begun_parts, begun.way AS begun_way,
         coalesce(earlier.looked_up, false) AS looked_up, coalesce(earlier.attempt, 0) AS earlier_attempt,
         CASE WHEN begun.parts > 1 THEN 0
              WHEN any_control.yes AND EXISTS (SELECT FROM control WHERE kind = 'cancel' AND
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
  FROM unnest($3::bigint[], $4::int[], $5::bigint[], $6::timestamptz[], $7::text[], $8::text[], $14::int[], $15::int[])
         WITH ORDINALITY AS i (sms_id, segment, number, valid_until, rule, class, parts, way, ord)
  CROSS JOIN (SELECT EXISTS (SELECT FROM control) AS yes) AS any_control
  LEFT JOIN LATERAL (SELECT number, state, run_id, valid_until FROM message
                     WHERE sms_id = i.sms_id AND sms_id >= $1::bigint AND sms_id < $2::bigint LIMIT 1) m ON true
  LEFT JOIN LATERAL (SELECT attempt, kind, settled, owner, claimed_at, parts FROM claim
                     WHERE sms_id = i.sms_id AND segment = i.segment AND sms_id >= $1::bigint AND sms_id < $2::bigint
                     ORDER BY attempt DESC LIMIT 1) last ON true
  LEFT JOIN LATERAL (SELECT max(attempt) AS attempt, bool_or(settled = 4) AS looked_up FROM claim
                     WHERE sms_id = i.sms_id AND sms_id >= $1::bigint AND sms_id < $2::bigint
                       AND (i.segment > 1 OR last.attempt > 0)) earlier ON true
  LEFT JOIN LATERAL (SELECT segment, attempt, gateway, parts, way FROM claim
                     WHERE sms_id = i.sms_id AND sms_id >= $1::bigint AND sms_id < $2::bigint AND earlier.attempt > 0
                       AND kind = 0 AND (settled = 0 OR (settled = 4 AND parts > 1))
                     LIMIT 1) begun ON true
  LEFT JOIN LATERAL (SELECT state FROM segment
                     WHERE sms_id = i.sms_id AND segment = i.segment AND sms_id >= $1::bigint AND sms_id < $2::bigint
                       AND begun.parts > 1 LIMIT 1) stand ON true
  LEFT JOIN run r ON r.id = m.run_id
), free AS MATERIALIZED (
  SELECT * FROM asked
  WHERE found AND $13::boolean AND (state < 20 OR (state = 20 AND looked_up))
    AND (last_attempt IS NULL OR (last_kind = 0 AND last_settled IN (1, 2, 3, 4)))
    AND (kind <> 0 OR (control_hold = 0 AND NOT run_holds))
    AND (begun_parts IS NULL OR (begun_parts > 1 AND begun_gateway = $9::int AND begun_parts = parts AND begun_way = way))
), held AS MATERIALIZED (
  SELECT f.ord FROM free f
  CROSS JOIN LATERAL (SELECT FROM claim c
                      WHERE c.sms_id = f.sms_id AND c.segment = f.begun_segment AND c.attempt = f.begun_attempt
                        AND c.sms_id >= $1::bigint AND c.sms_id < $2::bigint AND c.settled IN (0, 4)
                      LIMIT 1 FOR SHARE) c
  WHERE f.begun_parts > 1
), made AS (
  INSERT INTO claim (sms_id, segment, attempt, kind, gateway, owner, claimed_at, parts, way)
  SELECT sms_id, segment, CASE WHEN begun_parts > 1 THEN coalesce(last_attempt, 0) ELSE earlier_attempt END + 1, kind, $9::int,
         CASE WHEN kind = 0 THEN $11::bigint ELSE 0 END, $12::timestamptz, parts, way
  FROM free
  WHERE CASE WHEN begun_parts > 1 THEN ord IN (SELECT ord FROM held) ELSE segment = 1 END
  ORDER BY sms_id, segment
  ON CONFLICT (sms_id, segment, attempt) DO NOTHING
  RETURNING sms_id, segment, attempt, kind
), others AS (
  INSERT INTO claim (sms_id, segment, attempt, kind, gateway, owner, claimed_at, parts, way)
  SELECT f.sms_id, f.segment, g.attempt, g.kind, $9::int,
         CASE WHEN g.kind = 0 THEN $11::bigint ELSE 0 END, $12::timestamptz, f.parts, f.way
  FROM free f JOIN made g ON g.sms_id = f.sms_id AND g.segment = 1
  WHERE f.segment > 1 AND f.begun_parts IS NULL
  ORDER BY f.sms_id, f.segment
  RETURNING sms_id, segment, attempt, kind
)
SELECT a.ord, a.found, a.state, c.attempt, c.kind, a.last_attempt, a.last_kind, a.last_settled,
       coalesce(a.last_ours, false), greatest(a.control_hold, a.run_holds::int), a.tries, a.looked_up, a.last_parts,
       coalesce(a.begun_parts, 0), coalesce(a.begun_way, 0),
       CASE WHEN a.begun_gateway <> $9::int THEN (SELECT word FROM word WHERE id = a.begun_gateway) END
FROM asked a LEFT JOIN (SELECT * FROM made UNION ALL SELECT * FROM others) c
  ON c.sms_id = a.sms_id AND c.segment = a.segment
