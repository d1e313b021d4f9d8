-- What operators work on: dead letters, bodies in quarantine, and by which number a skipped row can be found again.

-- Bodies taken out of the queue sms.dead, so that a person can look at them, give them back to their queue, or drop them.
CREATE TABLE dead (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  queue       text NOT NULL,              -- that it came from; '' nobody has said
  why         text NOT NULL,              -- it could not be processed, the last time
  body        bytea NOT NULL,             -- as it came
  digest      bytea NOT NULL,             -- SHA-256 of the body: the same body from the same queue is one row
  is_text     boolean NOT NULL,           -- it is UTF-8: else no consumer can ever read it
  times       int NOT NULL DEFAULT 1,     -- how often it has died
  died_at     timestamptz,                -- the last time, by the clock of who gave it up
  taken_at    timestamptz NOT NULL DEFAULT now(),
  -- 'again': it was replayed and has died once more; only a person who names it replays it
  state       text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'again', 'replayed', 'dropped')),
  replayed_to text NOT NULL DEFAULT '',   -- the queue that it was last given back to
  settled_at  timestamptz,
  settled_by  text NOT NULL DEFAULT '',
  note        text NOT NULL DEFAULT '',
  UNIQUE (digest, queue)
);
CREATE INDEX dead_open ON dead (id) WHERE state IN ('waiting', 'again');

-- A skipped row is found by its number without keeping the number: a salted hash of its digits, or of what stood in
-- their place. Rows of before have none. The salt is this database's own.
CREATE TABLE number_salt (
  one  boolean PRIMARY KEY DEFAULT true CHECK (one),
  salt bytea NOT NULL DEFAULT decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex')
);
INSERT INTO number_salt DEFAULT VALUES;
CREATE FUNCTION salted_hash(salt bytea, of_text text) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT ('x' || left(encode(sha256(salt || convert_to(of_text, 'UTF8')), 'hex'), 16))::bit(64)::bigint
$$;
ALTER TABLE run_skip ADD COLUMN number_hash bigint;
DROP INDEX run_skip_key;                  -- nobody asks by key alone; so finding by number costs extract no more than before
CREATE INDEX run_skip_number ON run_skip (number_hash);

REVOKE ALL ON FUNCTION salted_hash(bytea, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION salted_hash(bytea, text) TO smschain_extract, smschain_operator;
GRANT SELECT ON number_salt TO smschain_extract, smschain_operator;
GRANT SELECT, INSERT, UPDATE, DELETE ON dead TO smschain_operator;
GRANT UPDATE, DELETE ON quarantine TO smschain_operator;
DO $$ BEGIN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO smschain_operator', current_database()); END $$;
