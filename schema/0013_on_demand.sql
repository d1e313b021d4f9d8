-- Messages on demand: requests by idempotency key, and the one way in for all of them.

CREATE TABLE request (
  key      uuid PRIMARY KEY,              -- first 128 bits of SHA-256 over caller and idempotency key; its message's key in dedupe as well
  body     uuid NOT NULL,                 -- the same over the request, whatever the order of its members and its white space
  sms_id   bigint,                        -- null: it was refused
  refused  text,                          -- why
  asked_at timestamptz NOT NULL DEFAULT now() -- forgotten after extract.request_keep; dedupe still knows the key then
);
CREATE INDEX request_asked ON request (asked_at);

-- Enters requests, each key in it once; those of a caller whole or not at all. Arrays in step: caller, its daily cap, key, body,
-- number, is its template marketing, lane (0 bulk, 1 instant), when it is due (null: now), valid until, and the row record of the
-- wire behind its member `run` (null: it is only looked up). `head` and `tail` are what a chunk begins and ends with.
--
-- A caller's run of today is locked first, so whoever enters for it enters one after the other, and each statement below sees
-- all that the one before has committed: the cap is exact, and a key that was asked before is found. Only where a day ends
-- may two be at it, in two runs: then the keys decide, and who comes second is told 'again'.
-- LIMIT 1 in the lateral part keeps it a look-up by key, however little the planner knows of the table.
CREATE FUNCTION enter_asked(callers text[], caps bigint[], keys uuid[], bodies uuid[], numbers bigint[], marketing int[], lanes int[],
                            dues timestamptz[], untils timestamptz[], records text[], head text, tail text)
RETURNS TABLE (n bigint, outcome text, sms_id bigint, why text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  today bigint := (now() AT TIME ZONE 'UTC')::date - date '2020-01-01';
  who record;
  in_run bigint;
  had bigint;
  held text;
BEGIN
  IF to_regclass('public.message_' || today) IS NULL THEN -- the database was away when they should have been made
    PERFORM public.ensure_partitions(2);
  END IF;
  FOR who IN
    SELECT c.caller, max(c.cap) AS cap FROM unnest(callers, caps) AS c (caller, cap) GROUP BY c.caller ORDER BY c.caller
  LOOP
    in_run := public.standing_run('api:' || who.caller, 'api');
    SELECT r.rows_new INTO had FROM public.run r WHERE r.id = in_run FOR NO KEY UPDATE;
    SELECT CASE WHEN u.held_why <> '' THEN u.held_why || '; smschain accept ' || u.name || ' lets it go on'
                WHEN EXISTS (SELECT FROM public.control k WHERE k.kind = 'cancel' AND k.scope = 'run' AND k.key = in_run::text)
                  THEN 'run ' || in_run || ' of today was cancelled'
                ELSE '' END INTO held
    FROM public.run r JOIN public.rule u ON u.id = r.rule_id WHERE r.id = in_run;
    RETURN QUERY
    WITH looked AS MATERIALIZED (
      SELECT i.key, i.body, i.number, i.lane, i.due, i.until, i.record, i.n, known.sms_id AS known_sms_id, known.refused AS known_refused,
        stopped.reason AS stopped,
        CASE WHEN known.body <> i.body THEN 'other'
             WHEN known.sms_id IS NOT NULL THEN 'same'
             WHEN known.body IS NOT NULL THEN 'suppressed'
             WHEN i.record IS NULL THEN 'unknown'
             WHEN held <> '' THEN 'held'
             WHEN stopped.reason IS NOT NULL THEN 'stopped'
             ELSE 'new' END AS verdict
      FROM unnest(callers, keys, bodies, numbers, marketing, lanes, dues, untils, records) WITH ORDINALITY
             AS i (caller, key, body, number, marketing, lane, due, until, record, n)
      LEFT JOIN LATERAL (SELECT q.body, q.sms_id, q.refused FROM public.request q WHERE q.key = i.key LIMIT 1) AS known ON true
      CROSS JOIN LATERAL (SELECT min(s.reason) AS reason FROM public.suppression s
                          WHERE s.number = i.number AND (s.scope = 'all' OR i.marketing = 1)) AS stopped
      WHERE i.caller = who.caller
    ), capped AS MATERIALIZED (
      SELECT l.*, l.verdict = 'new' AND had + row_number() OVER (PARTITION BY l.verdict ORDER BY l.n) > who.cap AS over_cap FROM looked l
    ), numbered AS MATERIALIZED (
      SELECT c.*, CASE WHEN c.verdict = 'new' AND NOT c.over_cap THEN (today << 36) + nextval('public.sms_n') END AS made_sms_id FROM capped c
    ), entered AS (
      INSERT INTO public.dedupe (key, sms_id, run_id, pass)
      SELECT b.key, b.made_sms_id, in_run, 1 FROM numbered b WHERE b.made_sms_id IS NOT NULL ORDER BY b.key
      ON CONFLICT (key) DO NOTHING
      RETURNING sms_id
    ), made AS MATERIALIZED (
      SELECT b.* FROM numbered b WHERE (b.made_sms_id IN (SELECT e.sms_id FROM entered e)) IS TRUE
    ), messages AS (
      INSERT INTO public.message (sms_id, run_id, number, created_at, valid_until, changed_at, lane)
      SELECT m.made_sms_id, in_run, m.number, now(), m.until, now(), m.lane FROM made m ORDER BY m.made_sms_id
    ), kept AS (
      INSERT INTO public.request (key, body, sms_id, refused)
      SELECT m.key, m.body, m.made_sms_id, NULL FROM made m
      UNION ALL
      SELECT b.key, b.body, NULL, b.stopped FROM numbered b WHERE b.verdict = 'stopped'
      ON CONFLICT (key) DO NOTHING
    ), chunks AS (
      INSERT INTO public.outbox (due_at, target, body, run_id)
      SELECT coalesce(m.due, now()), CASE m.lane WHEN 1 THEN 'sms.render.instant' ELSE 'sms.render.bulk' END,
        head || string_agg('{"sms_id":' || m.made_sms_id || ',"number":' || m.number || ',"run":' || in_run || m.record, ',' ORDER BY m.n) || tail,
        in_run
      FROM made m GROUP BY m.lane, m.due
    ), skips AS (
      INSERT INTO public.run_skip (run_id, pass, kind, reason, key, number_hash)
      SELECT in_run, 1, 'suppressed', b.stopped, b.key, public.salted_hash(s.salt, b.number::text)
      FROM numbered b, public.number_salt s WHERE b.verdict = 'stopped'
    ), counts AS (
      SELECT (SELECT count(*) FROM made) AS made, (SELECT count(*) FROM numbered b WHERE b.verdict = 'stopped') AS stopped
    ), counted AS (
      UPDATE public.run r SET rows_read = r.rows_read + c.made + c.stopped, rows_new = r.rows_new + c.made, rows_seen = r.rows_seen + c.made,
        rows_suppressed = r.rows_suppressed + c.stopped
      FROM counts c WHERE r.id = in_run AND c.made + c.stopped > 0
    )
    SELECT b.n,
      CASE WHEN b.verdict = 'stopped' THEN 'suppressed'
           WHEN b.over_cap THEN 'capped'
           WHEN b.verdict = 'new' AND (b.made_sms_id IN (SELECT e.sms_id FROM entered e)) IS NOT TRUE
             THEN CASE WHEN used.sms_id IS NULL THEN 'again' ELSE 'used' END
           ELSE b.verdict END,
      coalesce(b.known_sms_id, used.sms_id, b.made_sms_id),
      coalesce(b.known_refused, b.stopped, held)
    FROM numbered b
    LEFT JOIN LATERAL (SELECT d.sms_id FROM public.dedupe d WHERE b.made_sms_id IS NOT NULL AND d.key = b.key LIMIT 1) AS used ON true;
  END LOOP;
END $$;

REVOKE ALL ON FUNCTION enter_asked(text[], bigint[], uuid[], uuid[], bigint[], int[], int[], timestamptz[], timestamptz[], text[], text, text)
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION enter_asked(text[], bigint[], uuid[], uuid[], bigint[], int[], int[], timestamptz[], timestamptz[], text[], text, text)
  TO smschain_extract, smschain_operator;
GRANT SELECT, DELETE ON request TO smschain_extract;
GRANT INSERT ON claim TO smschain_extract; -- that a message is not sent: cancelled before anybody has claimed it
GRANT SELECT ON request TO smschain_operator;
