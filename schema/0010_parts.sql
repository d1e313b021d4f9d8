-- Long messages in segments, each with its own claim, msg_id and status. A message that goes whole (all of before) has parts = 1
-- and nothing in the table `segment`.

-- All constants: the catalogue keeps them, no row is rewritten.
ALTER TABLE message ADD COLUMN parts smallint NOT NULL DEFAULT 1; -- segments with a claim of their own; 1: it goes whole
ALTER TABLE claim
  ADD COLUMN parts smallint NOT NULL DEFAULT 1,  -- how many segments its message was cut into when it was claimed
  ADD COLUMN way   smallint NOT NULL DEFAULT 0;  -- …and how: the driver's number (dispatch/gateway.h)

CREATE TABLE segment (                    -- where each segment of a message in several stands; the message's row is made of these
  sms_id     bigint NOT NULL,
  segment    smallint NOT NULL,           -- 1 to message.parts; what is above is left of an earlier cut, of which nothing was sent
  attempt    smallint NOT NULL,
  state      smallint NOT NULL,
  gateway    int NOT NULL,                -- word.id
  reason     int NOT NULL,                -- word.id, 0 none
  changed_at timestamptz NOT NULL,
  PRIMARY KEY (sms_id, segment)
) PARTITION BY RANGE (sms_id);

-- As before, with `segment`.
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
        ('segment', 'fillfactor = 50, autovacuum_vacuum_scale_factor = 0.1')) AS v (name, options)
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
                          'public.segment'::regclass)
      AND c.relname ~ '^(event|msg_map|claim|message|segment)_[0-9]+$' AND substring(c.relname FROM '_([0-9]+)$')::int < oldest
    ORDER BY day, array_position(ARRAY['message', 'segment', 'event', 'msg_map', 'claim'], regexp_replace(c.relname, '_[0-9]+$', ''))
    LIMIT 5
  LOOP
    EXECUTE format('DROP TABLE public.%I', t.relname);
    dropped := dropped + 1;
  END LOOP;
  RETURN dropped;
END $$;

-- The days that are there already: what waits in the outbox may be of any of them.
DO $$
DECLARE d int;
BEGIN
  FOR d IN SELECT substring(c.relname FROM '_([0-9]+)$')::int
           FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
           WHERE i.inhparent = 'public.message'::regclass AND c.relname ~ '^message_[0-9]+$'
  LOOP
    EXECUTE format('CREATE TABLE public.%I PARTITION OF public.segment FOR VALUES FROM (%s) TO (%s) '
                   'WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.1)', 'segment_' || d, d::bigint << 36, (d::bigint + 1) << 36);
  END LOOP;
END $$;

GRANT SELECT ON segment TO smschain_extract, smschain_dispatch, smschain_callback, smschain_operator, smschain_dashboard;
GRANT INSERT, UPDATE ON segment TO smschain_callback;
