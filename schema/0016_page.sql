-- What the page needs: a few rights without bodies and texts, small indexes for what it counts, and when counters changed.

-- A run's rate over its whole time is its messages over the time up to its last change. The default is kept in the
-- catalogue, no row is rewritten.
ALTER TABLE stats ADD COLUMN changed_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX stats_in_doubt ON stats (run_id) WHERE state = 20;

CREATE INDEX run_held ON run (id) WHERE state = 'held';
CREATE INDEX run_rule ON run (rule_id, id);
-- Rows that became no message, by reason; duplicates have none and are many.
CREATE INDEX run_skip_reason ON run_skip (run_id, kind, reason) WHERE kind <> 'duplicate';

-- How long the last reports took from accepted to the report, by gateway: out of the end of the day's events, which are
-- only ever added to, so the last pages hold the last ones, and reading some hundred pages costs the same at any size.
CREATE FUNCTION recent_delays(OUT gateway int, OUT reports bigint, OUT p50_ms bigint, OUT p95_ms bigint) RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  today int := (now() AT TIME ZONE 'UTC')::date - date '2020-01-01';
  pages bigint;
  parts text := '';
BEGIN
  FOR day IN REVERSE today .. today - 1 LOOP
    IF to_regclass('public.event_' || day) IS NOT NULL THEN
      pages := pg_relation_size(('public.event_' || day)::regclass) / 8192;
      parts := parts || CASE WHEN parts = '' THEN '' ELSE ' UNION ALL ' END || format(
        '(SELECT m.gateway, extract(epoch FROM e.at - m.accepted_at) * 1000 AS ms FROM public.%I AS e
          JOIN public.%I AS m ON m.sms_id = e.sms_id AND m.segment = e.segment AND m.attempt = e.attempt AND m.gateway = e.gateway
          WHERE e.ctid >= %L::tid AND e.step = 102 AND e.state > 30 AND e.origin IS NULL
            AND e.at > now() - interval ''15 minutes'' LIMIT 3000)',
        'event_' || day, 'msg_map_' || day, format('(%s,0)', greatest(pages - 60, 0)));
    END IF;
  END LOOP;
  IF parts = '' THEN
    RETURN;
  END IF;
  RETURN QUERY EXECUTE 'SELECT s.gateway, count(*), percentile_disc(0.5) WITHIN GROUP (ORDER BY s.ms)::bigint,
    percentile_disc(0.95) WITHIN GROUP (ORDER BY s.ms)::bigint FROM (' || parts || ') AS s WHERE s.ms >= 0 GROUP BY s.gateway';
END $$;
REVOKE ALL ON FUNCTION recent_delays() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION recent_delays() TO smschain_dashboard;

-- Never a body, a number or a text.
GRANT SELECT (id, due_at, target, run_id, published_at) ON outbox TO smschain_dashboard;
GRANT SELECT (id, step, gateway, parked_at, given_up_at) ON parked TO smschain_dashboard;
GRANT SELECT (id, gateway, reason, received_at) ON quarantine TO smschain_dashboard;
GRANT SELECT (id, queue, times, died_at, taken_at, state, settled_at) ON dead TO smschain_dashboard;
GRANT SELECT (run_id, pass, kind, reason) ON run_skip TO smschain_dashboard;
