-- Messages from phones that come in several parts, and heartbeat messages of dispatch.

ALTER TABLE inbound
  ADD COLUMN parts   smallint NOT NULL DEFAULT 1,  -- how many it came in
  ADD COLUMN missing smallint NOT NULL DEFAULT 0;  -- so many of them did not come in time: the text is what there was

-- Parts are kept like messages, so that one that is told again is known; their texts go when the message is entered.
CREATE TABLE inbound_part (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  message    bigint NOT NULL,             -- id of the first part that came of the same message
  due_at     timestamptz NOT NULL,        -- then the message is entered with what there is, and no part joins it any more
  gateway    int NOT NULL,                -- word.id
  number     bigint NOT NULL,
  sender     text NOT NULL,
  recipient  text NOT NULL,
  reference  int NOT NULL,                -- what all parts of a message carry; phones use it again
  parts      smallint NOT NULL,
  part       smallint NOT NULL,           -- 1 to parts
  text       text NOT NULL,               -- '' once the message is entered
  msg_id     text NOT NULL,               -- the gateway's id of this part, or ''
  gateway_at timestamptz,
  at         timestamptz NOT NULL,
  said_at    timestamptz NOT NULL,
  digest     uuid NOT NULL,               -- of all of it but the times
  inbound    bigint                       -- the message it has become a part of, 0: one that had been told; null: it waits
);
CREATE INDEX inbound_part_digest ON inbound_part (digest);
CREATE INDEX inbound_part_waits ON inbound_part (due_at) WHERE inbound IS NULL;
CREATE INDEX inbound_part_message ON inbound_part (message) WHERE inbound IS NULL;
CREATE INDEX inbound_part_open ON inbound_part (gateway, reference, sender) WHERE inbound IS NULL;

-- Keeps one part, and says which message it is of; null: it is a copy. Only under the lock of inbound messages (6, 0).
-- A part with an id of the gateway's is told again by that id, however late; one without it if the same comes within an hour,
-- since gateways that get no answer send again and give no id. Where a part's place is taken by another text, the phone has
-- used its reference again: what waited is another message, and is entered as it is.
CREATE FUNCTION inbound_part_add(of_gateway int, of_number bigint, of_sender text, of_recipient text, of_text text, of_msg_id text,
                                 of_gateway_at timestamptz, of_at timestamptz, of_said_at timestamptz, of_digest uuid,
                                 of_reference int, of_parts int, of_part int, wait_ms bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  made bigint;
  joined bigint;
  until timestamptz;
BEGIN
  IF EXISTS (SELECT FROM public.inbound_part p
             WHERE p.digest = of_digest
               AND (of_msg_id <> '' OR p.said_at BETWEEN of_said_at - interval '1 hour' AND of_said_at + interval '1 hour')) THEN
    RETURN NULL;
  END IF;
  SELECT p.message, p.due_at INTO joined, until FROM public.inbound_part p
  WHERE p.inbound IS NULL AND p.gateway = of_gateway AND p.reference = of_reference AND p.sender = of_sender
    AND p.recipient = of_recipient AND p.parts = of_parts AND p.due_at > now()
  ORDER BY p.id DESC LIMIT 1;
  IF joined IS NOT NULL AND EXISTS (SELECT FROM public.inbound_part p
                                    WHERE p.inbound IS NULL AND p.message = joined AND p.part = of_part) THEN
    UPDATE public.inbound_part SET due_at = now() WHERE inbound IS NULL AND message = joined;
    joined := NULL;
  END IF;
  made := nextval(pg_get_serial_sequence('public.inbound_part', 'id'));
  INSERT INTO public.inbound_part (id, message, due_at, gateway, number, sender, recipient, reference, parts, part, text, msg_id,
                                   gateway_at, at, said_at, digest)
  OVERRIDING SYSTEM VALUE
  VALUES (made, coalesce(joined, made), CASE WHEN joined IS NULL THEN now() + wait_ms * interval '1 millisecond' ELSE until END,
          of_gateway, of_number, of_sender, of_recipient, of_reference, of_parts, of_part, of_text, of_msg_id,
          of_gateway_at, of_at, of_said_at, of_digest);
  RETURN coalesce(joined, made);
END $$;
REVOKE ALL ON FUNCTION inbound_part_add(int, bigint, text, text, text, text, timestamptz, timestamptz, timestamptz, uuid,
  int, int, int, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION inbound_part_add(int, bigint, text, text, text, text, timestamptz, timestamptz, timestamptz, uuid,
  int, int, int, bigint) TO smschain_callback;
GRANT SELECT ON inbound_part TO smschain_callback, smschain_operator;
GRANT UPDATE ON inbound_part TO smschain_callback;

-- A heartbeat is a message of a standing run of rule 'heartbeat:GATEWAY', origin 'heartbeat'.
GRANT EXECUTE ON FUNCTION standing_run(text, text),
  enter_message(bigint, uuid, bigint, boolean, boolean, timestamptz, text, text, text, text)
  TO smschain_dispatch;
