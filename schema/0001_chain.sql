-- The chain's tables. Words and ranks are those of docs/design.md; numbers of states are lib/state.h's.
-- Partitioned tables have one partition a UTC day of sms_id: [day * 2^36, (day + 1) * 2^36), day counted from 2020-01-01.

-- Dictionaries: small, only grown.
CREATE TABLE word (                       -- gateways, reasons, template versions: a small number instead of a text
  id    int  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind  text NOT NULL,                    -- 'gateway' 'reason'
  word  text NOT NULL,
  UNIQUE (kind, word)
);

CREATE TABLE rule (
  id            int  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name          text NOT NULL UNIQUE,
  sql_hash      text NOT NULL,            -- of the SQL text with white space folded
  once_per      text[] NOT NULL,
  schedule      text NOT NULL DEFAULT '', -- when it fires; a changed one is planned from that moment on
  held_why      text NOT NULL DEFAULT '', -- not '': the next run is held until `smschain accept`
  seen_at       timestamptz NOT NULL DEFAULT now(),
  planned_from  timestamptz NOT NULL DEFAULT now() -- firings before this are nobody's (a new rule does not catch up)
);

CREATE TABLE run (
  id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  rule_id       int  NOT NULL REFERENCES rule,
  scheduled_at  timestamptz NOT NULL,     -- `smschain run` : the moment it was asked for
  origin        text NOT NULL,            -- 'schedule' 'person' 'missed'
  state         text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'reading', 'read', 'held', 'failed', 'cancelled', 'skipped')),
  why           text NOT NULL DEFAULT '', -- held, failed, skipped: the reason, for a person
  publish       boolean NOT NULL DEFAULT false, -- its outbox rows may leave
  pass          int  NOT NULL DEFAULT 0,
  pass_complete boolean NOT NULL DEFAULT false,
  -- the balance of the last pass: rows + gone = new + duplicate + invalid + suppressed
  rows_read     bigint NOT NULL DEFAULT 0,
  rows_gone     bigint NOT NULL DEFAULT 0,
  rows_new      bigint NOT NULL DEFAULT 0, -- messages entered by this run, over all passes
  rows_seen     bigint NOT NULL DEFAULT 0, -- of those, seen in this pass
  rows_duplicate bigint NOT NULL DEFAULT 0,
  rows_invalid  bigint NOT NULL DEFAULT 0,
  rows_suppressed bigint NOT NULL DEFAULT 0,
  template_version text NOT NULL DEFAULT '',
  started_at    timestamptz,
  ended_at      timestamptz,
  created_at    timestamptz NOT NULL DEFAULT now(),
  UNIQUE (rule_id, scheduled_at)
);
CREATE INDEX run_open ON run (id) WHERE state IN ('new', 'reading');

CREATE TABLE run_skip (                   -- rows that became no message, of the pass that is named
  run_id    bigint NOT NULL REFERENCES run,
  pass      int  NOT NULL,
  kind      text NOT NULL CHECK (kind IN ('duplicate', 'invalid', 'suppressed')),
  reason    text NOT NULL,
  key       uuid,                         -- hash of the key; null where the key columns themselves were missing
  first_run bigint                        -- duplicate: the run that has the message
);
CREATE INDEX run_skip_run ON run_skip (run_id);
CREATE INDEX run_skip_key ON run_skip (key);

CREATE TABLE dedupe (
  key     uuid PRIMARY KEY,               -- first 128 bits of SHA-256 over rule name and the once_per values
  sms_id  bigint NOT NULL,
  run_id  bigint NOT NULL,
  pass    int NOT NULL                    -- last pass of that run that saw it
) WITH (fillfactor = 80);
CREATE INDEX dedupe_run ON dedupe (run_id);

CREATE SEQUENCE sms_n MAXVALUE 68719476735 CYCLE CACHE 1;

CREATE TABLE message (
  sms_id      bigint NOT NULL PRIMARY KEY,
  run_id      bigint NOT NULL,
  number      bigint NOT NULL,
  created_at  timestamptz NOT NULL,
  valid_until timestamptz NOT NULL,
  -- what changes: fixed width, never null, not indexed
  changed_at  timestamptz NOT NULL,
  gateway     int NOT NULL DEFAULT 0,     -- word.id, 0 none yet
  reason      int NOT NULL DEFAULT 0,     -- word.id, 0 none
  attempt     smallint NOT NULL DEFAULT 0,
  segments    smallint NOT NULL DEFAULT 0,
  state       smallint NOT NULL DEFAULT 0,
  lane        smallint NOT NULL DEFAULT 0 -- 0 bulk, 1 instant
) PARTITION BY RANGE (sms_id);
CREATE INDEX message_number ON message (number);
CREATE INDEX message_run ON message (run_id);

CREATE TABLE outbox (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  due_at       timestamptz NOT NULL,
  target       text NOT NULL,             -- a queue's name
  body         text NOT NULL,
  run_id       bigint REFERENCES run,     -- leaves only while that run may publish and neither it nor its rule is paused
  published_at timestamptz
);
CREATE INDEX outbox_due ON outbox (due_at, id) WHERE published_at IS NULL;
CREATE INDEX outbox_instant ON outbox (due_at, id) WHERE published_at IS NULL AND right(target, 8) = '.instant';
CREATE INDEX outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL;

CREATE TABLE claim (
  sms_id     bigint NOT NULL,
  segment    smallint NOT NULL,
  attempt    smallint NOT NULL,
  kind       smallint NOT NULL,           -- 0 send; 40 stale, 41 suppressed, 42 cancelled: a claim that it is not sent
  settled    smallint NOT NULL DEFAULT 0, -- 0 open or with an outcome; 1 released, 2 not_sent or throttled, 3 retry (counts as a try): the next attempt may be made
  gateway    int NOT NULL,
  owner      bigint NOT NULL,             -- the dispatcher's epoch; 0 nobody
  claimed_at timestamptz NOT NULL,
  PRIMARY KEY (sms_id, segment, attempt)
) PARTITION BY RANGE (sms_id);
CREATE INDEX claim_time ON claim USING brin (claimed_at);

CREATE TABLE msg_map (
  gateway    int NOT NULL,
  msg_id     text COLLATE "C" NOT NULL,   -- as compared (gateway's `report.id`); no language's order, which costs twice as much
  number     bigint NOT NULL,
  sms_id     bigint NOT NULL,
  segment    smallint NOT NULL,
  attempt    smallint NOT NULL,
  raw_msg_id text,                        -- as the gateway wrote it, where that differs
  accepted_at timestamptz NOT NULL,
  PRIMARY KEY (sms_id, segment, attempt, gateway, msg_id)
) PARTITION BY RANGE (sms_id);
CREATE INDEX msg_map_id ON msg_map (gateway, msg_id);

CREATE TABLE event (                      -- everything that was said of a message, once each
  sms_id     bigint NOT NULL,
  digest     bigint NOT NULL,             -- of what makes two tellings the same (callback/fold.h)
  segment    smallint NOT NULL,
  attempt    smallint NOT NULL,
  step       smallint NOT NULL,           -- 102, 110
  state      smallint,                    -- null: changes no state
  gateway    int NOT NULL,
  reason     int NOT NULL DEFAULT 0,
  gateway_at timestamptz,
  at         timestamptz NOT NULL,
  error      text,
  origin     text,                        -- null, 'slots', 'sweep', 'person', 'inferred'
  PRIMARY KEY (sms_id, digest)
) PARTITION BY RANGE (sms_id);

CREATE TABLE parked (                     -- steps whose predecessor is not known yet
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  step       smallint NOT NULL,
  gateway    int NOT NULL,
  msg_id     text COLLATE "C",            -- as compared
  number     bigint,
  seq_sms_id bigint,                      -- a step that names its attempt, waiting for its claim
  body       text NOT NULL,               -- the record
  digest     bigint NOT NULL UNIQUE,
  parked_at  timestamptz NOT NULL DEFAULT now(),
  given_up_at timestamptz                 -- park_horizon is over: shown to a person
);
CREATE INDEX parked_key ON parked (gateway, msg_id);
CREATE INDEX parked_seq ON parked (seq_sms_id) WHERE seq_sms_id IS NOT NULL;
CREATE INDEX parked_number ON parked (gateway, number) WHERE given_up_at IS NULL;

CREATE TABLE quarantine (                 -- bodies that could not be read
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  gateway     text NOT NULL,
  reason      text NOT NULL,
  error       text NOT NULL,
  body        text NOT NULL,
  digest      bigint NOT NULL UNIQUE,
  received_at timestamptz NOT NULL
);

CREATE TABLE suppression (
  number    bigint NOT NULL,
  scope     text NOT NULL CHECK (scope IN ('marketing', 'all')),
  reason    text NOT NULL,
  since     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (number, scope)
);

CREATE TABLE control (                    -- what operators have said; read by the claim statement
  kind   text NOT NULL CHECK (kind IN ('pause', 'cancel')),
  scope  text NOT NULL CHECK (scope IN ('all', 'rule', 'gateway', 'run', 'message')),
  key    text NOT NULL DEFAULT '',        -- rule or gateway name, run id, sms_id
  reason text NOT NULL DEFAULT '',
  by     text NOT NULL DEFAULT current_user,
  since  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (kind, scope, key)
);

CREATE TABLE service (
  service    text NOT NULL,
  host       text NOT NULL,
  pid        int  NOT NULL,
  part       text NOT NULL,
  figures    jsonb NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (service, host, pid, part)
);

CREATE TABLE stats (                      -- messages by where they stand; queued = run.rows_new - sum over the run
  day     date NOT NULL,                  -- of sms_id
  run_id  bigint NOT NULL,
  gateway int NOT NULL,
  state   smallint NOT NULL,
  reason  int NOT NULL,
  count   bigint NOT NULL,
  PRIMARY KEY (run_id, day, gateway, state, reason)
) WITH (fillfactor = 50);
CREATE INDEX stats_day ON stats (day);

CREATE TABLE stats_minute (
  minute  timestamptz NOT NULL,
  gateway int NOT NULL,
  state   smallint NOT NULL,
  count   bigint NOT NULL,
  PRIMARY KEY (minute, gateway, state)
) WITH (fillfactor = 50);

CREATE TABLE template_version (
  version    text NOT NULL,
  template   text NOT NULL,
  text       text NOT NULL,
  seen_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (template, version)
);

CREATE TABLE sweep (                      -- how far each sweep has come
  name  text PRIMARY KEY,                 -- 'open_claims'
  until timestamptz NOT NULL
);

CREATE TABLE database_history (
  one        boolean PRIMARY KEY DEFAULT true CHECK (one),
  generation int NOT NULL DEFAULT 1,      -- counted up by `smschain accept-database`
  accepted_at timestamptz NOT NULL DEFAULT now(),
  -- where it was made or accepted: a copy of it elsewhere, or on another timeline, has not been looked at by a person
  system_identifier bigint NOT NULL DEFAULT (pg_control_system()).system_identifier,
  timeline int NOT NULL DEFAULT ('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8))::bit(32)::int
);
INSERT INTO database_history DEFAULT VALUES;

-- The number of a word; makes it if it is new. 10,000 reasons a kind at most: the rest is 'other'.
CREATE FUNCTION word_id(of_kind text, of_word text) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE found int;
BEGIN
  IF of_word = '' THEN RETURN 0; END IF;
  SELECT id INTO found FROM public.word WHERE kind = of_kind AND word = of_word;
  IF found IS NULL THEN
    IF (SELECT count(*) FROM public.word WHERE kind = of_kind) >= 10000 THEN
      of_word := 'other';
    END IF;
    INSERT INTO public.word (kind, word) VALUES (of_kind, of_word) ON CONFLICT (kind, word) DO NOTHING;
    SELECT id INTO found FROM public.word WHERE kind = of_kind AND word = of_word;
  END IF;
  RETURN found;
END $$;

-- Makes the day partitions from yesterday to `ahead` days from now. Gives the number of days ahead that exist.
CREATE FUNCTION ensure_partitions(ahead int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  today int := (now() AT TIME ZONE 'UTC')::date - date '2020-01-01';
  t record;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('smschain partitions'));
  FOR d IN today - 1 .. today + ahead LOOP
    FOR t IN SELECT * FROM (VALUES
        ('message', 'fillfactor = 50, autovacuum_vacuum_scale_factor = 0.1'), ('claim', 'fillfactor = 90'),
        ('msg_map', 'fillfactor = 100'), ('event', 'fillfactor = 100')) AS v (name, options)
    LOOP
      IF to_regclass(format('public.%I', t.name || '_' || d)) IS NULL THEN
        EXECUTE format('CREATE TABLE public.%I PARTITION OF public.%I FOR VALUES FROM (%s) TO (%s) WITH (%s)',
          t.name || '_' || d, t.name, d::bigint << 36, (d::bigint + 1) << 36, t.options);
      END IF;
    END LOOP;
  END LOOP;
  RETURN ahead;
END $$;
REVOKE ALL ON FUNCTION word_id(text, text), ensure_partitions(int) FROM PUBLIC;

-- Roles: each service has only what it needs. They may log in once `smschain migrate` has given them a password.
DO $$
DECLARE r text;
BEGIN
  FOREACH r IN ARRAY ARRAY['smschain_extract', 'smschain_dispatch', 'smschain_callback', 'smschain_operator', 'smschain_dashboard'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN', r);
      EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL; -- roles are the whole cluster's: another database's migration has just made it
      END;
    END IF;
  END LOOP;
END $$;

GRANT SELECT ON ALL TABLES IN SCHEMA public TO smschain_extract, smschain_dispatch, smschain_callback, smschain_operator;
GRANT EXECUTE ON FUNCTION word_id(text, text), ensure_partitions(int) TO smschain_extract, smschain_dispatch, smschain_callback, smschain_operator;
GRANT INSERT, UPDATE, DELETE ON service TO smschain_extract, smschain_dispatch, smschain_callback;

GRANT INSERT, UPDATE ON rule, run, dedupe, template_version TO smschain_extract;
GRANT INSERT, DELETE ON run_skip TO smschain_extract;
GRANT INSERT ON message TO smschain_extract;
GRANT INSERT, UPDATE, DELETE ON outbox TO smschain_extract;
GRANT USAGE ON SEQUENCE sms_n TO smschain_extract;

GRANT INSERT, UPDATE ON claim TO smschain_dispatch;
GRANT INSERT ON outbox TO smschain_dispatch;

GRANT INSERT, UPDATE ON message, stats, stats_minute, sweep TO smschain_callback;
GRANT INSERT ON msg_map, event, quarantine, outbox TO smschain_callback;
GRANT INSERT, UPDATE, DELETE ON parked TO smschain_callback;
DO $$ BEGIN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO smschain_callback', current_database()); END $$;

GRANT INSERT, UPDATE, DELETE ON control, suppression TO smschain_operator;
GRANT INSERT, UPDATE ON rule, run, database_history, claim TO smschain_operator;
GRANT SELECT, UPDATE ON SEQUENCE sms_n TO smschain_operator;
GRANT INSERT, UPDATE ON outbox TO smschain_operator;

-- The page sees masked numbers only: views instead of tables.
CREATE VIEW message_masked AS
  SELECT sms_id, run_id, left(number::text, 2) || repeat('*', greatest(length(number::text) - 4, 0)) || right(number::text, 2) AS number,
         created_at, valid_until, changed_at, gateway, reason, attempt, segments, state, lane
  FROM message;
GRANT SELECT ON message_masked, word, rule, run, stats, stats_minute, service, event, control TO smschain_dashboard;
