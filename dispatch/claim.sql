-- Claims a group of messages of one day. $1 $2: that day's first sms_id and the next day's; arrays in ascending order
-- of the key: $3 sms_id $4 segment $5 number $6 valid_until $7 rule $8 class, $14 parts $15 way: how the message is cut;
-- $9 the gateway's number, $10 its name; $11 owner and $12 claimed_at name the group; $13: may new claims be made.
-- kind: 0 to be sent; 40 stale, 41 suppressed, 42 cancelled. hold: 0 none, 1 its rule or run, 2 this gateway or all.
-- LIMIT 1 in the lateral parts keeps them lookups by key, however little the planner knows of a fresh partition.
-- Lines that end in "-- cut" are left out of the statement for groups without a message that was cut (claim_whole.sql, made of
-- this file by the build): it asks what it asked before there were any, and reads nothing more for a message without a claim.
--
-- A message that was cut is begun while some claim of any of its segments may have left or has left: then the rest goes by
-- that gateway, cut in that way. Where none has, any gateway may have it, and segment 1 is the gate: who gets its key gets all
-- the others, who does not gets none, whatever else is claiming at this moment. The rest of a begun message has no such
-- gate: there the claim by which it is begun is held (FOR SHARE reads it anew), so that it is not settled, and so the message not
-- free for others, before our claims can be seen. No other claim exists where segment 1 has none.
WITH looked AS MATERIALIZED (
  SELECT i.ord, i.sms_id, i.segment, i.parts, i.way, i.number IS NOT DISTINCT FROM m.number AS found, m.state,
         last.attempt AS last_attempt, last.kind AS last_kind, last.settled AS last_settled, last.parts AS last_parts,
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
              ELSE 0 END AS tries,
         -- of all its claims: the highest attempt, was one looked up; and that by which it is begun: attempt, segment,
         -- gateway, parts, way
         CASE WHEN last.attempt > 0 OR i.segment > 1 THEN (
                     SELECT ARRAY[max(t.attempt), max((t.settled = 4)::int)] || max(ARRAY[t.attempt, t.segment, t.gateway, t.parts, t.way])
                              FILTER (WHERE t.kind = 0 AND (t.settled = 0 OR (t.settled = 4 AND t.parts > 1)))
                     FROM claim t WHERE t.sms_id = i.sms_id AND t.sms_id >= $1::bigint AND t.sms_id < $2::bigint) END AS c
  FROM unnest($3::bigint[], $4::int[], $5::bigint[], $6::timestamptz[], $7::text[], $8::text[], $14::int[], $15::int[])
         WITH ORDINALITY AS i (sms_id, segment, number, valid_until, rule, class, parts, way, ord)
  CROSS JOIN (SELECT EXISTS (SELECT FROM control) AS yes) AS any_control
  LEFT JOIN LATERAL (SELECT number, state, run_id, valid_until FROM message
                     WHERE sms_id = i.sms_id AND sms_id >= $1::bigint AND sms_id < $2::bigint LIMIT 1) m ON true
  LEFT JOIN LATERAL (SELECT attempt, kind, settled, owner, claimed_at, parts FROM claim
                     WHERE sms_id = i.sms_id AND segment = i.segment AND sms_id >= $1::bigint AND sms_id < $2::bigint
                     ORDER BY attempt DESC LIMIT 1) last ON true
  LEFT JOIN run r ON r.id = m.run_id
), asked AS MATERIALIZED (
  SELECT l.*, c[2] = 1 AS looked_up, c[3] AS begun_attempt, c[4] AS begun_segment, c[5] AS begun_gateway, c[6] AS begun_parts,
         c[7] AS begun_way,
         CASE WHEN c[6] > 1 THEN 0 ELSE kind END AS claim_kind,
         CASE WHEN c[6] > 1 AND state < 40 THEN coalesce(
                (SELECT s.state FROM segment s WHERE s.sms_id = l.sms_id AND s.segment = l.segment        -- cut
                   AND s.sms_id >= $1::bigint AND s.sms_id < $2::bigint),                                 -- cut
                0) ELSE state END AS stand
  FROM looked l
), free AS MATERIALIZED (
  SELECT * FROM asked
  WHERE found AND $13::boolean AND (stand < 20 OR (stand = 20 AND looked_up))
    AND (last_attempt IS NULL OR (last_kind = 0 AND last_settled IN (1, 2, 3, 4)))
    AND (claim_kind <> 0 OR (control_hold = 0 AND NOT run_holds))
    AND (begun_parts IS NULL
         OR (begun_parts > 1 AND begun_gateway = $9::int AND begun_parts = parts AND begun_way = way)     -- cut
        )
), held AS MATERIALIZED (                                                                                 -- cut
  SELECT f.ord FROM free f                                                                                -- cut
  CROSS JOIN LATERAL (SELECT FROM claim t WHERE t.sms_id = f.sms_id AND t.segment = f.begun_segment       -- cut
                        AND t.attempt = f.begun_attempt AND t.settled IN (0, 4)                           -- cut
                        AND t.sms_id >= $1::bigint AND t.sms_id < $2::bigint                              -- cut
                      LIMIT 1 FOR SHARE) t                                                                -- cut
  WHERE f.begun_parts > 1                                                                                 -- cut
), made AS (
  INSERT INTO claim (sms_id, segment, attempt, kind, gateway, owner, claimed_at, parts, way)
  SELECT sms_id, segment, coalesce(CASE WHEN begun_parts > 1 THEN last_attempt ELSE c[1] END, 0) + 1, claim_kind, $9::int,
         CASE WHEN claim_kind = 0 THEN $11::bigint ELSE 0 END, $12::timestamptz, parts, way
  FROM free
  WHERE CASE WHEN begun_parts > 1 THEN ord IN (SELECT ord FROM held) ELSE segment = 1 END                 -- cut
  ORDER BY sms_id, segment
  ON CONFLICT (sms_id, segment, attempt) DO NOTHING
  RETURNING sms_id, segment, attempt, kind
), others AS (                                                                                            -- cut
  INSERT INTO claim (sms_id, segment, attempt, kind, gateway, owner, claimed_at, parts, way)              -- cut
  SELECT f.sms_id, f.segment, g.attempt, g.kind, $9::int,                                                 -- cut
         CASE WHEN g.kind = 0 THEN $11::bigint ELSE 0 END, $12::timestamptz, f.parts, f.way               -- cut
  FROM free f JOIN made g ON g.sms_id = f.sms_id AND g.segment = 1                                        -- cut
  WHERE f.segment > 1 AND f.begun_parts IS NULL                                                           -- cut
  ORDER BY f.sms_id, f.segment                                                                            -- cut
  RETURNING sms_id, segment, attempt, kind                                                                -- cut
)
SELECT a.ord, a.found, a.stand, n.attempt, n.kind, a.last_attempt, a.last_kind, a.last_settled,
       coalesce(a.last_ours, false), greatest(a.control_hold, a.run_holds::int), a.tries, coalesce(a.looked_up, false), a.last_parts,
       coalesce(a.begun_parts, 0), coalesce(a.begun_way, 0),
       CASE WHEN a.begun_gateway <> $9::int THEN (SELECT word FROM word WHERE id = a.begun_gateway) END
FROM asked a LEFT JOIN (
    SELECT * FROM made
    UNION ALL SELECT * FROM others                                                                        -- cut
  ) n ON n.sms_id = a.sms_id AND n.segment = a.segment
