-- Following messages up: look-ups at the gateway, and what is thrown away when it is old.

CREATE TABLE lookup (                     -- attempts whose gateway is asked what became of them
  sms_id   bigint NOT NULL,
  segment  smallint NOT NULL,
  attempt  smallint NOT NULL,
  gateway  int NOT NULL,                  -- word.id
  tries    int NOT NULL DEFAULT 0,
  next_at  timestamptz,                   -- null: given up, for a person
  until    timestamptz NOT NULL,          -- from then on it is asked no more
  asked_at timestamptz,
  said     text NOT NULL DEFAULT '',      -- what the last answer came to
  PRIMARY KEY (sms_id, segment, attempt)
);
CREATE INDEX lookup_due ON lookup (gateway, next_at) WHERE next_at IS NOT NULL;

-- claim.settled, one more value: 4 not accepted, proven by the gateway's look-up. Only after this one may a message that is
-- in doubt be claimed again.
CREATE INDEX outbox_run ON outbox (run_id, due_at) WHERE run_id IS NOT NULL;

-- Drops the day partitions of messages that are older than claims are kept, and a day more, since clocks differ. Gives how
-- many. Waits little for the tables: whoever calls it comes again.
CREATE FUNCTION drop_partitions(keep_days int) RETURNS int
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
    WHERE i.inhparent IN ('public.event'::regclass, 'public.msg_map'::regclass, 'public.claim'::regclass, 'public.message'::regclass)
      AND c.relname ~ '^(event|msg_map|claim|message)_[0-9]+$' AND substring(c.relname FROM '_([0-9]+)$')::int < oldest
    ORDER BY day, array_position(ARRAY['message', 'event', 'msg_map', 'claim'], regexp_replace(c.relname, '_[0-9]+$', ''))
    LIMIT 4
  LOOP
    EXECUTE format('DROP TABLE public.%I', t.relname);
    dropped := dropped + 1;
  END LOOP;
  RETURN dropped;
END $$;
REVOKE ALL ON FUNCTION drop_partitions(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drop_partitions(int) TO smschain_callback;

GRANT SELECT, INSERT, UPDATE, DELETE ON lookup TO smschain_callback;
GRANT SELECT ON lookup TO smschain_operator, smschain_dashboard;
GRANT UPDATE (settled) ON claim TO smschain_callback;
GRANT SELECT, DELETE ON stats_minute TO smschain_callback;
