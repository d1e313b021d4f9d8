-- Inbound messages (from a phone to us), what STOP and START among them do, and messages that are entered one at a time.

CREATE TABLE inbound (                    -- one row a message: what was said is never changed, what becomes of it is
  id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  gateway        int NOT NULL,            -- word.id
  number         bigint NOT NULL,         -- the phone's, E.164; 0: the sender is no number
  sender         text NOT NULL,           -- as the gateway wrote it
  recipient      text NOT NULL,           -- our number or short code as the gateway wrote it, or ''
  text           text NOT NULL,
  msg_id         text NOT NULL,           -- the gateway's id of it, or ''
  gateway_at     timestamptz,
  at             timestamptz NOT NULL,    -- when we received it
  said_at        timestamptz NOT NULL,    -- the earlier of the two: a gateway's clock that is ahead says nothing
  digest         uuid NOT NULL UNIQUE,    -- of what makes two tellings the same message
  keyword        text CHECK (keyword IN ('stop', 'start')),
  language       text,                    -- whose word it was
  reply_sms_id   bigint,                  -- the message that answers it
  forward_due_at timestamptz,             -- null: not to be forwarded, or done, or given up
  forward_tries  int NOT NULL DEFAULT 0,
  forwarded_at   timestamptz,
  forward_error  text                     -- of the last try
) WITH (fillfactor = 80);
CREATE INDEX inbound_number ON inbound (number, said_at);
CREATE INDEX inbound_forward ON inbound (forward_due_at) WHERE forward_due_at IS NOT NULL;

-- The run of today (UTC) that holds the messages of a built-in rule, which no schedule fires and no SQL reads: it is
-- `read` from the beginning, and every message that enters keeps its balance.
CREATE FUNCTION standing_run(of_rule text, of_origin text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  rule int;
  today timestamptz := date_trunc('day', now(), 'UTC');
  found bigint;
BEGIN
  SELECT r.id INTO found FROM public.run r JOIN public.rule u ON u.id = r.rule_id
  WHERE u.name = of_rule AND r.scheduled_at = today;
  IF found IS NOT NULL THEN RETURN found; END IF;
  INSERT INTO public.rule (name, sql_hash, once_per) VALUES (of_rule, '', '{}') ON CONFLICT (name) DO NOTHING;
  SELECT id INTO rule FROM public.rule WHERE name = of_rule;
  INSERT INTO public.run (rule_id, scheduled_at, origin, state, publish, pass, pass_complete, started_at)
  VALUES (rule, today, of_origin, 'read', true, 1, true, now())
  ON CONFLICT (rule_id, scheduled_at) DO NOTHING;
  SELECT id INTO found FROM public.run WHERE rule_id = rule AND scheduled_at = today;
  RETURN found;
END $$;

-- Enters one message without a row of a source: ledger and outbox together, once for each key. `record` is the encoded row
-- record of the wire behind its first member, {"sms_id":0; `head` and `tail` are what a chunk begins and ends with.
-- Gives its sms_id, also where the key is known already; null: the number is suppressed, which the run's balance says.
CREATE FUNCTION enter_message(of_run bigint, of_key uuid, of_number bigint, marketing boolean, instant boolean,
                              until timestamptz, target text, head text, record text, tail text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  day int := (now() AT TIME ZONE 'UTC')::date - date '2020-01-01';
  made bigint;
  known bigint;
  stopped text;
BEGIN
  SELECT min(s.reason) INTO stopped FROM public.suppression s
  WHERE s.number = of_number AND (s.scope = 'all' OR marketing);
  IF stopped IS NOT NULL THEN
    INSERT INTO public.run_skip (run_id, pass, kind, reason, key) VALUES (of_run, 1, 'suppressed', stopped, of_key);
    UPDATE public.run SET rows_read = rows_read + 1, rows_suppressed = rows_suppressed + 1 WHERE id = of_run;
    RETURN NULL;
  END IF;
  IF to_regclass('public.message_' || day) IS NULL THEN -- the database was away when they should have been made
    PERFORM public.ensure_partitions(2);
  END IF;
  made := (day::bigint << 36) + nextval('public.sms_n');
  INSERT INTO public.dedupe (key, sms_id, run_id, pass) VALUES (of_key, made, of_run, 1) ON CONFLICT (key) DO NOTHING
  RETURNING sms_id INTO known;
  IF known IS NULL THEN
    SELECT sms_id INTO known FROM public.dedupe WHERE key = of_key;
    RETURN known;
  END IF;
  INSERT INTO public.message (sms_id, run_id, number, created_at, valid_until, changed_at, lane)
  VALUES (made, of_run, of_number, now(), until, now(), instant::int);
  INSERT INTO public.outbox (due_at, target, body, run_id)
  VALUES (now(), target, head || '{"sms_id":' || made || record || tail, of_run);
  UPDATE public.run SET rows_read = rows_read + 1, rows_new = rows_new + 1, rows_seen = rows_seen + 1 WHERE id = of_run;
  RETURN made;
END $$;
REVOKE ALL ON FUNCTION standing_run(text, text),
  enter_message(bigint, uuid, bigint, boolean, boolean, timestamptz, text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION standing_run(text, text),
  enter_message(bigint, uuid, bigint, boolean, boolean, timestamptz, text, text, text, text)
  TO smschain_extract, smschain_callback;

GRANT SELECT ON inbound TO smschain_extract, smschain_dispatch, smschain_callback, smschain_operator;
GRANT INSERT, UPDATE ON inbound TO smschain_callback;
GRANT INSERT, DELETE ON suppression TO smschain_callback;
