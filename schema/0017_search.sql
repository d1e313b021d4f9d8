-- One message's story, searching messages, and why a number got nothing: for the page, whose role sees masked numbers and no
-- text, and for the others by the same statements.

-- As lib/show.h masks: runs of 4 to 6 digits wholly (codes), of longer ones the first two and the last two stay.
CREATE FUNCTION masked_digits(of_text text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT regexp_replace(regexp_replace(of_text, '(?<!\d)\d{4,6}(?!\d)', '****', 'g'), '(?<=\d\d)\d(?=\d\d)', '*', 'g')
$$;
CREATE FUNCTION masked_number(of_number bigint) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT '+' || CASE WHEN of_number < 1000000 THEN repeat('*', length(of_number::text))
                     ELSE overlay(of_number::text PLACING repeat('*', length(of_number::text) - 4) FROM 3 FOR length(of_number::text) - 4) END
$$;

CREATE VIEW message_shown AS
  SELECT sms_id, run_id, masked_number(number) AS number, created_at, valid_until, changed_at, gateway, reason, attempt, segments, state,
         lane, parts, version
  FROM message;
-- What gateways wrote of a message may hold its number.
CREATE VIEW event_shown AS
  SELECT sms_id, segment, attempt, step, state, gateway, reason, gateway_at, at, masked_digits(error) AS error, origin FROM event;
REVOKE SELECT ON event FROM smschain_dashboard;
GRANT SELECT (sms_id, digest, segment, attempt, step, state, gateway, reason, gateway_at, at, origin) ON event TO smschain_dashboard;
GRANT SELECT (gateway, msg_id, sms_id, segment, attempt, raw_msg_id, accepted_at) ON msg_map TO smschain_dashboard;
GRANT SELECT (id, step, gateway, msg_id, parked_at, given_up_at) ON parked TO smschain_dashboard;
GRANT SELECT (id, gateway, reason, received_at) ON quarantine TO smschain_dashboard;
GRANT SELECT ON claim, ext TO smschain_dashboard;
GRANT SELECT ON template_version TO smschain_dashboard;
GRANT SELECT ON message_shown, event_shown TO smschain_extract, smschain_operator, smschain_dashboard;

-- Searching by state asks for what was told (insert-only), never for the column that changes. Only what is rare has an entry
-- here, so that a delivered message's report, of which there are most, writes none.
CREATE INDEX event_state ON event (state, sms_id) WHERE state <> 90;

-- A run's messages in the order of their ids, so that a page of them is found where the one before it ended.
DROP INDEX message_run;
CREATE INDEX message_run ON message (run_id, sms_id);

-- When message OF_SMS_ID of run OF_RUN leaves the outbox, and whether it waits there for the first wave of its run. The bodies
-- hold texts and numbers, so nobody but the services reads them.
CREATE FUNCTION message_waits(of_sms_id bigint, of_run bigint) RETURNS TABLE (due_at timestamptz, for_wave boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT min(o.due_at), coalesce(bool_or(o.run_id = of_run AND o.wave > r.wave), false)
  FROM public.outbox AS o LEFT JOIN public.run AS r ON r.id = o.run_id AND r.wave = 1 AND r.wave_wait_ms IS NOT NULL
  WHERE o.published_at IS NULL
    AND (o.run_id = of_run OR (o.run_id IS NULL AND o.target ~ '^sms\.(render|dispatch)\.'))
    AND strpos(o.body, '"sms_id":' || of_sms_id || ',') > 0
$$;

-- Messages to a number, the newest first: the caller learns which they are, and never a number.
CREATE FUNCTION messages_to(of_number bigint, of_rule text, from_sms_id bigint, before_sms_id bigint, most bigint) RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  WITH found AS MATERIALIZED (
    SELECT m.sms_id, m.run_id FROM public.message AS m
    WHERE m.number = of_number AND m.sms_id >= from_sms_id AND m.sms_id < before_sms_id)
  SELECT f.sms_id FROM found AS f
  WHERE of_rule = '' OR EXISTS (SELECT FROM public.run AS r JOIN public.rule AS u ON u.id = r.rule_id
                                WHERE r.id = f.run_id AND u.name = of_rule)
  ORDER BY f.sms_id DESC LIMIT most
$$;

CREATE FUNCTION suppressions_of(of_number bigint) RETURNS TABLE (scope text, reason text, since timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT s.scope, s.reason, s.since FROM public.suppression AS s WHERE s.number = of_number ORDER BY s.scope
$$;

-- Rows that became no message: `names` the number's digits and what may have stood in their place. For a duplicate: the
-- message of its key, where it stands, and whether it went to this number.
CREATE FUNCTION skips_of(names text[], of_number bigint, of_rule text, most bigint)
  RETURNS TABLE (run_id bigint, rule text, scheduled_at timestamptz, kind text, reason text, first_run bigint, sms_id bigint,
                 state smallint, same_number boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT s.run_id, u.name, r.scheduled_at, s.kind, s.reason, s.first_run, m.sms_id, m.state, m.number = of_number
  FROM public.number_salt AS n
  CROSS JOIN unnest(names) AS asked (text)
  JOIN public.run_skip AS s ON s.number_hash = public.salted_hash(n.salt, asked.text)
  JOIN public.run AS r ON r.id = s.run_id
  JOIN public.rule AS u ON u.id = r.rule_id
  LEFT JOIN public.dedupe AS d ON d.key = s.key AND s.kind = 'duplicate'
  LEFT JOIN LATERAL (SELECT i.sms_id, i.state, i.number FROM public.message AS i WHERE i.sms_id = d.sms_id LIMIT 1) AS m ON true
  WHERE of_rule = '' OR u.name = of_rule
  ORDER BY s.run_id DESC
  LIMIT most
$$;

-- What runs made of a number: of one rule all its runs, else the last run of each, since so many ms. `known`: skipped rows
-- of this run can be found by number.
CREATE FUNCTION runs_of(names text[], of_number bigint, of_rule text, since_ms bigint, most bigint)
  RETURNS TABLE (run_id bigint, rule text, scheduled_at timestamptz, state text, why text, pass_complete boolean, sms_id bigint,
                 skips bigint, known boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  WITH messages AS MATERIALIZED (SELECT m.sms_id, m.run_id FROM public.message AS m WHERE m.number = of_number),
    skipped AS MATERIALIZED (
      SELECT s.run_id FROM public.number_salt AS n CROSS JOIN unnest(names) AS asked (text)
      JOIN public.run_skip AS s ON s.number_hash = public.salted_hash(n.salt, asked.text))
  SELECT r.id, u.name, r.scheduled_at, r.state, r.why, r.pass_complete,
    (SELECT max(m.sms_id) FROM messages AS m WHERE m.run_id = r.id),
    (SELECT count(*) FROM skipped AS s WHERE s.run_id = r.id),
    r.created_at >= (SELECT applied_at FROM public.schema_migrations WHERE name = 'operator')
  FROM public.run AS r JOIN public.rule AS u ON u.id = r.rule_id
  WHERE r.scheduled_at >= now() - since_ms * interval '1 millisecond' AND r.scheduled_at <= now()
    -- such a run reads nothing: its messages say all of it
    AND (r.origin NOT IN ('inbound', 'test', 'heartbeat', 'api') OR of_rule <> '')
    AND CASE WHEN of_rule <> '' THEN u.name = of_rule
             ELSE r.id = (SELECT max(l.id) FROM public.run AS l WHERE l.rule_id = r.rule_id) END
  ORDER BY r.scheduled_at DESC, r.id DESC
  LIMIT most;
END $$;

-- Who looked at whose number and text, and why: kept by the very statement that gives them.
CREATE TABLE reveal (
  id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at     timestamptz NOT NULL DEFAULT now(),
  who    text NOT NULL,                   -- as the page knows them
  sms_id bigint NOT NULL,
  reason text NOT NULL CHECK (length(reason) BETWEEN 4 AND 500)
);
CREATE INDEX reveal_sms_id ON reveal (sms_id);
-- The number, and the newest record of it that the outbox still keeps (its body is thrown away after `outbox_keep`). No row:
-- there is no such message, and nothing is kept.
CREATE FUNCTION reveal_message(of_sms_id bigint, of_who text, of_reason text) RETURNS TABLE (number bigint, record text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE run bigint;
BEGIN
  SELECT m.number, m.run_id INTO number, run FROM public.message AS m WHERE m.sms_id = of_sms_id;
  IF number IS NULL THEN RETURN; END IF;
  INSERT INTO public.reveal (who, sms_id, reason) VALUES (of_who, of_sms_id, of_reason);
  SELECT i.value::text INTO record
  FROM (SELECT o.body FROM public.outbox AS o
        WHERE (o.run_id = run OR (o.run_id IS NULL AND o.target ~ '^sms\.(render|dispatch)\.'))
          AND strpos(o.body, '"sms_id":' || of_sms_id || ',') > 0
        ORDER BY o.id DESC LIMIT 1) AS b
  CROSS JOIN json_array_elements(b.body::json->'records') AS i
  WHERE i.value->>'sms_id' = of_sms_id::text
  LIMIT 1;
  RETURN NEXT;
END $$;

REVOKE ALL ON FUNCTION message_waits(bigint, bigint), messages_to(bigint, text, bigint, bigint, bigint), suppressions_of(bigint),
  skips_of(text[], bigint, text, bigint), runs_of(text[], bigint, text, bigint, bigint), reveal_message(bigint, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION message_waits(bigint, bigint) TO smschain_extract, smschain_operator, smschain_dashboard;
GRANT EXECUTE ON FUNCTION messages_to(bigint, text, bigint, bigint, bigint), suppressions_of(bigint),
  skips_of(text[], bigint, text, bigint), runs_of(text[], bigint, text, bigint, bigint) TO smschain_operator, smschain_dashboard;
GRANT EXECUTE ON FUNCTION reveal_message(bigint, text, text) TO smschain_dashboard;
GRANT SELECT ON reveal TO smschain_operator, smschain_dashboard;
