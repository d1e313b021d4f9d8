-- Tasks: lists that other systems insert, each read as one run; and the ids that other systems give to messages.

-- Whose message it is in the other system's words. Insert-only, written with the message.
CREATE TABLE ext (
  sms_id bigint NOT NULL PRIMARY KEY,
  ext_id text COLLATE "C" NOT NULL CHECK (octet_length(ext_id) BETWEEN 1 AND 100)
) PARTITION BY RANGE (sms_id);
CREATE INDEX ext_id ON ext (ext_id);

CREATE TABLE task (                       -- kept for ever, as its run is: no task_id means two lists
  task_id    text COLLATE "C" PRIMARY KEY,
  rule       text NOT NULL,               -- one with `tasks: true`; extract may come to know it later
  at         timestamptz,                 -- not before that moment; null: as soon as it is signed
  name       text NOT NULL DEFAULT '',    -- for people
  ready      boolean NOT NULL DEFAULT false, -- the sign: its rows are complete. Never taken back
  -- what becomes of it; nobody but extract and the triggers below writes these
  ready_at   timestamptz,
  state      text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'ready', 'waiting', 'entered')),
  why        text NOT NULL DEFAULT '',    -- waiting: for what
  run_id     bigint REFERENCES run,
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by text NOT NULL DEFAULT session_user,
  cleaned_at timestamptz,                 -- its run has long ended, and its rows are gone
  CONSTRAINT task_id_characters CHECK (task_id ~ '^[A-Za-z0-9._:/-]{1,100}$'),
  CONSTRAINT task_rule_length CHECK (octet_length(rule) BETWEEN 1 AND 100),
  CONSTRAINT task_name_length CHECK (octet_length(name) <= 200)
);
CREATE INDEX task_due ON task ((coalesce(at, ready_at))) WHERE ready AND run_id IS NULL;
CREATE INDEX task_kept ON task (run_id) WHERE run_id IS NOT NULL AND cleaned_at IS NULL;

-- No foreign key to task: the trigger looks, once a statement instead of once a row.
CREATE TABLE task_row (
  task_id  text COLLATE "C" NOT NULL,
  ext_id   text COLLATE "C" NOT NULL,     -- their id of the row
  number   text NOT NULL,                 -- as they write it
  template text,                          -- null: the rule's, or with a text its text_template
  text     text,
  params   jsonb NOT NULL DEFAULT '{}',   -- what the template may use
  PRIMARY KEY (task_id, ext_id),
  CONSTRAINT task_row_ext_id_length CHECK (octet_length(ext_id) BETWEEN 1 AND 100),
  CONSTRAINT task_row_number_length CHECK (octet_length(number) <= 100),
  CONSTRAINT task_row_template_length CHECK (octet_length(template) <= 100),
  CONSTRAINT task_row_text_length CHECK (octet_length(text) <= 16384),
  CONSTRAINT task_row_template_or_text CHECK (template IS NULL OR text IS NULL),
  CONSTRAINT task_row_params_object CHECK (jsonb_typeof(params) = 'object'),
  CONSTRAINT task_row_params_flat CHECK (NOT jsonb_path_exists(params, 'strict $.* ? (@.type() == "object" || @.type() == "array")', silent => true)),
  CONSTRAINT task_row_params_length CHECK (octet_length(params::text) <= 32768)
);
CREATE INDEX task_row_ext ON task_row (ext_id);

-- Signs that came by another way than the task's row (a bare NOTIFY, sms.request): kept until the task's row can be had,
-- which whoever still inserts rows has.
CREATE TABLE task_sign (
  task_id text COLLATE "C" PRIMARY KEY,
  came_at timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE run ADD COLUMN task_id text COLLATE "C";
CREATE UNIQUE INDEX run_task ON run (task_id) WHERE task_id IS NOT NULL; -- a task is one run, whoever enters it

-- Rows belong to a task that is there and not signed. FOR SHARE: a sign waits for those who are inserting, and who inserts
-- waits for a sign under way and is then refused; so the rows are exactly those committed before the sign.
CREATE FUNCTION task_row_added() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  of_task text;
  signed boolean;
BEGIN
  FOR of_task IN SELECT DISTINCT task_id FROM added ORDER BY task_id LOOP
    SELECT ready INTO signed FROM public.task WHERE task_id = of_task FOR SHARE;
    IF signed IS NULL THEN
      RAISE EXCEPTION 'there is no task %', of_task
        USING ERRCODE = 'foreign_key_violation', HINT = 'Insert the task first, then its rows.';
    ELSIF signed THEN
      RAISE EXCEPTION 'task % is ready: it takes no more rows', of_task
        USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Insert them as another task.';
    END IF;
  END LOOP;
  RETURN NULL;
END $$;
CREATE TRIGGER task_row_added AFTER INSERT ON task_row REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION task_row_added();

CREATE FUNCTION task_made() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NEW.ready THEN
    RAISE EXCEPTION 'task % would be ready before it has rows', NEW.task_id
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Insert it, insert its rows, then set ready.';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER task_made BEFORE INSERT ON task FOR EACH ROW EXECUTE FUNCTION task_made();

-- The sign: said aloud for who listens, and kept. Saying it again says it aloud again.
CREATE FUNCTION task_signed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF OLD.ready AND NEW.ready IS NOT TRUE THEN
    RAISE EXCEPTION 'task % is ready: that is not taken back', NEW.task_id
      USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'An operator can cancel its run: smschain cancel.';
  END IF;
  IF NEW.ready AND NOT OLD.ready THEN
    NEW.ready_at := clock_timestamp();
    NEW.state := 'ready';
  END IF;
  IF NEW.ready THEN
    PERFORM pg_notify('smschain_task', NEW.task_id);
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER task_signed BEFORE UPDATE OF ready ON task FOR EACH ROW EXECUTE FUNCTION task_signed();

-- The same as a call, for programs that would rather call: gives the task's state.
CREATE FUNCTION task_ready(of_task text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE now_state text;
BEGIN
  UPDATE public.task SET ready = true WHERE task_id = of_task RETURNING state INTO now_state;
  IF now_state IS NULL THEN
    RAISE EXCEPTION 'there is no task %', of_task USING ERRCODE = 'no_data_found', HINT = 'Has the transaction that made it been committed?';
  END IF;
  RETURN now_state;
END $$;

-- What became of each, for those who made them.
CREATE VIEW task_result AS
  SELECT t.task_id, t.rule, t.name, t.at, t.ready, t.state, t.why, t.run_id AS run, r.state AS run_state, r.why AS run_why,
         r.rows_read AS rows, r.rows_new AS new, r.rows_duplicate AS duplicate, r.rows_invalid AS invalid, r.rows_suppressed AS suppressed
  FROM task t LEFT JOIN run r ON r.id = t.run_id;

-- As before, with `ext`.
CREATE OR REPLACE FUNCTION ensure_partitions(ahead int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  today int := (now() AT TIME ZONE 'UTC')::date - date '2020-01-01';
  t record;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('smschain partitions'));
  FOR d IN today - 1 .. today + ahead LOOP
    FOR t IN SELECT * FROM (VALUES
        ('message', 'fillfactor = 50, autovacuum_vacuum_scale_factor = 0.1'), ('claim', 'fillfactor = 90'),
        ('msg_map', 'fillfactor = 100'), ('event', 'fillfactor = 100'),
        ('segment', 'fillfactor = 50, autovacuum_vacuum_scale_factor = 0.1'), ('ext', 'fillfactor = 100')) AS v (name, options)
    LOOP
      IF to_regclass(format('public.%I', t.name || '_' || d)) IS NULL THEN
        EXECUTE format('CREATE TABLE public.%I PARTITION OF public.%I FOR VALUES FROM (%s) TO (%s) WITH (%s)',
          t.name || '_' || d, t.name, d::bigint << 36, (d::bigint + 1) << 36, t.options);
      END IF;
    END LOOP;
  END LOOP;
  RETURN ahead;
END $$;

CREATE OR REPLACE FUNCTION drop_partitions(keep_days int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
  oldest int := (now() AT TIME ZONE 'UTC')::date - date '2020-01-01' - greatest(keep_days, 1) - 1;
  dropped int := 0;
  t record;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('smschain partitions'));
  FOR t IN
    SELECT c.relname, substring(c.relname FROM '_([0-9]+)$')::int AS day
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent IN ('public.event'::regclass, 'public.msg_map'::regclass, 'public.claim'::regclass, 'public.message'::regclass,
                          'public.segment'::regclass, 'public.ext'::regclass)
      AND c.relname ~ '^(event|msg_map|claim|message|segment|ext)_[0-9]+$' AND substring(c.relname FROM '_([0-9]+)$')::int < oldest
    ORDER BY day, array_position(ARRAY['message', 'ext', 'segment', 'event', 'msg_map', 'claim'], regexp_replace(c.relname, '_[0-9]+$', ''))
    LIMIT 6
  LOOP
    EXECUTE format('DROP TABLE public.%I', t.relname);
    dropped := dropped + 1;
  END LOOP;
  RETURN dropped;
END $$;

-- The days that are there already.
DO $$
DECLARE d int;
BEGIN
  FOR d IN SELECT substring(c.relname FROM '_([0-9]+)$')::int
           FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
           WHERE i.inhparent = 'public.message'::regclass AND c.relname ~ '^message_[0-9]+$'
  LOOP
    EXECUTE format('CREATE TABLE public.%I PARTITION OF public.ext FOR VALUES FROM (%s) TO (%s) WITH (fillfactor = 100)',
                   'ext_' || d, d::bigint << 36, (d::bigint + 1) << 36);
  END LOOP;
END $$;

-- Nobody logs in as smschain_upstream: the systems' own logins are made members of it.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'smschain_upstream') THEN
    CREATE ROLE smschain_upstream NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL; -- roles are the whole cluster's: another database's migration has just made it
END $$;

REVOKE ALL ON FUNCTION task_row_added(), task_made(), task_signed(), task_ready(text) FROM PUBLIC;
GRANT INSERT (task_id, rule, at, name), SELECT, UPDATE (ready) ON task TO smschain_upstream;
GRANT INSERT ON task_row TO smschain_upstream;
GRANT SELECT ON task_result TO smschain_upstream, smschain_operator, smschain_dashboard;
GRANT EXECUTE ON FUNCTION task_ready(text) TO smschain_upstream, smschain_operator;

GRANT SELECT ON ext TO smschain_extract, smschain_operator, smschain_dashboard;
GRANT INSERT ON ext TO smschain_extract, smschain_operator;
GRANT SELECT ON task, task_row, task_sign TO smschain_extract, smschain_operator;
GRANT SELECT ON task TO smschain_dashboard;
GRANT UPDATE (ready, state, why, run_id, cleaned_at) ON task TO smschain_extract;
GRANT UPDATE (ready) ON task TO smschain_operator;
GRANT INSERT, DELETE ON task_sign TO smschain_extract;
GRANT DELETE ON task_row TO smschain_extract;
