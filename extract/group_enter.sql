-- One group of rows, whole or not at all: one statement is one transaction and one round trip.
-- $1 run, $2 pass, $3 keys, $4 numbers, $5 records without their first member, $6 and $7 keys and reasons of rows that
-- cannot be messages, $8 first sms_id of the day, $9 valid_until, $10 lane, $11 is the template marketing, $12 queue,
-- $13 and $14 what a chunk begins and ends with, $15 max_recipients, $16 why the run is held if there are more,
-- $17 beside $6: what stood where the number should. Waves: $18 beside $3: the place of each one's gateway in the route, 0 none;
-- how much goes out first: $19 a share in millionths, or $20 so many messages; both 0: no waves, all is the first wave.
-- $21 beside $3, or empty: the ids that another system gave to these rows.
--
-- `own` is the fence: the run's row, locked, and only if this pass is still the one that may write. A statement of a dead
-- pass that the server was still busy with either ended before (then this pass sees its keys) or finds nothing here.
-- Keys are inserted in order, so that two runs of a rule wait for each other instead of for each other's opposite.
-- IN (…) IS TRUE keeps the planner from making joins of these: it cannot know how many rows an array has.
WITH own AS MATERIALIZED (
  SELECT id, rows_new, wave_first, wave_counts, $19::bigint > 0 OR $20::bigint > 0 AS waves
  FROM run WHERE id = $1::bigint AND pass = $2::int AND state = 'reading' FOR NO KEY UPDATE
), input AS MATERIALIZED (
  SELECT i.key, i.number, i.body, i.gateway, i.ext_id, i.n
  FROM own, unnest($3::uuid[], $4::bigint[], $5::text[], $18::int[], $21::text[]) WITH ORDINALITY AS i (key, number, body, gateway, ext_id, n)
), stopped AS MATERIALIZED (
  SELECT i.n, i.key, i.number, min(s.reason) AS reason
  FROM input i JOIN suppression s ON s.number = i.number AND (s.scope = 'all' OR $11::boolean)
  GROUP BY i.n, i.key, i.number
), fresh AS MATERIALIZED (
  SELECT DISTINCT ON (key) key, number, body, gateway, ext_id, n FROM input WHERE (n IN (SELECT n FROM stopped)) IS NOT TRUE ORDER BY key, n
), numbered AS MATERIALIZED (
  SELECT key, number, body, gateway, ext_id, n, $8::bigint + nextval('sms_n') AS sms_id FROM fresh
), entered AS (
  INSERT INTO dedupe (key, sms_id, run_id, pass)
  SELECT key, sms_id, $1::bigint, $2::int FROM numbered ORDER BY key
  ON CONFLICT (key) DO NOTHING
  RETURNING sms_id
), seen AS (
  UPDATE dedupe d SET pass = $2::int FROM numbered c
  WHERE $2::int > 1 AND d.key = c.key AND d.run_id = $1::bigint AND d.pass < $2::int
  RETURNING c.n
), made AS MATERIALIZED (
  SELECT sms_id, number, body, gateway, ext_id, n FROM numbered WHERE (sms_id IN (SELECT sms_id FROM entered)) IS TRUE
), messages AS (
  INSERT INTO message (sms_id, run_id, number, created_at, valid_until, changed_at, lane)
  SELECT sms_id, $1::bigint, number, now(), $9::timestamptz, now(), $10::int FROM made ORDER BY sms_id
), theirs AS (
  INSERT INTO ext (sms_id, ext_id) SELECT sms_id, ext_id FROM made WHERE ext_id IS NOT NULL ORDER BY sms_id
), candidates AS MATERIALIZED ( -- for the first wave; `lacking`: the first message that it would have by this gateway
  SELECT m.n, m.gateway, m.gateway > 0 AND coalesce(own.wave_counts[m.gateway], 0) = 0
    AND row_number() OVER (PARTITION BY m.gateway ORDER BY m.n) = 1 AS lacking
  FROM made m, own WHERE own.waves
), placed AS MATERIALIZED (
  SELECT n, gateway, row_number() OVER (ORDER BY gateway = 0, NOT lacking, n) AS place,
    count(*) FILTER (WHERE lacking) OVER () AS lacking, count(*) OVER () AS made
  FROM candidates
), first_wave AS MATERIALIZED (
  SELECT p.n, p.gateway FROM placed p, own
  WHERE p.place <= greatest(p.lacking, CASE WHEN $19::bigint > 0 THEN ceil((own.rows_new + p.made) * $19::bigint / 1000000.0)
                                       ELSE $20::bigint END - own.wave_first)
), chunk AS (
  INSERT INTO outbox (due_at, target, body, run_id, wave)
  SELECT now(), $12::text, $13::text || string_agg('{"sms_id":' || sms_id || body, ',' ORDER BY n) || $14::text, $1::bigint, wave
  FROM (
    SELECT m.sms_id, m.body, m.n,
      CASE WHEN NOT own.waves OR (m.n IN (SELECT n FROM first_wave)) IS TRUE THEN 1 ELSE 2 END AS wave
    FROM made m, own
  ) AS waves GROUP BY wave
), repeated AS MATERIALIZED (
  SELECT i.key, i.number, i.n FROM input i
  WHERE (i.n IN (SELECT n FROM made)) IS NOT TRUE AND (i.n IN (SELECT n FROM seen)) IS NOT TRUE
    AND (i.n IN (SELECT n FROM stopped)) IS NOT TRUE
), skips AS (
  INSERT INTO run_skip (run_id, pass, kind, reason, key, first_run, number_hash)
  SELECT $1::bigint, $2::int, v.kind, v.reason, v.key, v.first_run, salted_hash(s.salt, v.number)
  FROM (
    SELECT 'duplicate', 'once_per', key,
      coalesce((SELECT run_id FROM dedupe d WHERE d.key = r.key), $1::bigint), number::text FROM repeated r
    UNION ALL
    SELECT 'suppressed', reason, key, NULL, number::text FROM stopped
    UNION ALL
    SELECT 'invalid', i.reason, i.key::uuid, NULL, i.number
    FROM own, unnest($6::text[], $7::text[], $17::text[]) AS i (key, reason, number)
  ) AS v (kind, reason, key, first_run, number), number_salt AS s
), counts AS (
  SELECT (SELECT count(*) FROM made) AS made, (SELECT count(*) FROM first_wave) AS first_wave, (SELECT count(*) FROM seen) AS seen,
    (SELECT count(*) FROM repeated) AS duplicate, (SELECT count(*) FROM stopped) AS suppressed,
    (SELECT count(*) FROM input) + cardinality($7::text[]) AS rows, cardinality($7::text[]) AS invalid
)
UPDATE run SET
  rows_read = rows_read + c.rows, rows_new = run.rows_new + c.made, rows_seen = rows_seen + c.made + c.seen,
  rows_duplicate = rows_duplicate + c.duplicate, rows_invalid = rows_invalid + c.invalid,
  rows_suppressed = rows_suppressed + c.suppressed,
  state = CASE WHEN run.rows_new + c.made > $15::bigint THEN 'held' ELSE state END,
  why = CASE WHEN run.rows_new + c.made > $15::bigint THEN $16::text ELSE why END,
  held_by = CASE WHEN run.rows_new + c.made > $15::bigint THEN '{max_recipients}' ELSE held_by END,
  ended_at = CASE WHEN run.rows_new + c.made > $15::bigint THEN now() END,
  publish = publish AND run.rows_new + c.made <= $15::bigint,
  wave_first = run.wave_first + CASE WHEN own.waves THEN c.first_wave ELSE c.made END,
  wave_counts = CASE WHEN NOT own.waves THEN run.wave_counts ELSE
    (SELECT array_agg(coalesce(own.wave_counts[place], 0) + (SELECT count(*) FROM first_wave f WHERE f.gateway = place) ORDER BY place)
     FROM generate_series(1, 32) AS place) END -- a route's most entries
FROM counts c, own
WHERE run.id = own.id
RETURNING run.state, run.rows_new,
  EXISTS (SELECT FROM control k WHERE k.kind = 'cancel' AND k.scope = 'run' AND k.key = $1::bigint::text) AS cancelled,
  EXISTS (SELECT FROM control k JOIN rule u ON u.id = run.rule_id
          WHERE k.kind = 'pause' AND (k.scope = 'all' OR (k.scope = 'rule' AND k.key = u.name)
                                      OR (k.scope = 'run' AND k.key = $1::bigint::text))) AS paused,
  -- which of the rows, by their place in $3, are no message of this run
  (SELECT string_agg(n::text, ',' ORDER BY n) FROM (SELECT n FROM repeated UNION ALL SELECT n FROM stopped) AS no) AS no
