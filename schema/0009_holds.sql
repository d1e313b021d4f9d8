-- Runs that their figures hold, runs that wait for a person's yes, and runs that leave in waves.
ALTER TABLE run
  ADD COLUMN planned      jsonb,                          -- what it sends and costs (render/planned.h); of the last pass that saw all rows
  ADD COLUMN held_by      text[] NOT NULL DEFAULT '{}',   -- what holds it: 'max_recipients' 'balance' 'recipients_differ' 'render_errors' 'approve' 'wave'
  ADD COLUMN released     text[] NOT NULL DEFAULT '{}',   -- of these, what a person has said yes to: it does not hold this run again
  ADD COLUMN released_by  text NOT NULL DEFAULT '',
  ADD COLUMN released_at  timestamptz,
  -- A chunk leaves while its wave is not above the run's: 1 the first wave, 2 the rest.
  ADD COLUMN wave         smallint NOT NULL DEFAULT 1,
  ADD COLUMN wave_first   bigint NOT NULL DEFAULT 0,      -- messages of the first wave
  ADD COLUMN wave_counts  bigint[] NOT NULL DEFAULT '{}', -- of those, by the place of their gateway in the rule's route
  ADD COLUMN wave_wait_ms bigint,                         -- as the rule said when it was read; null: no waves
  ADD COLUMN wave_limit   bigint,                         -- the share of undelivered that holds it, in millionths
  ADD COLUMN wave_due_at  timestamptz;                    -- when the rest is decided about; null: the first wave has not left yet
ALTER TABLE outbox ADD COLUMN wave smallint NOT NULL DEFAULT 1;
CREATE INDEX run_waves ON run (id) WHERE wave = 1 AND wave_wait_ms IS NOT NULL AND state = 'read';

UPDATE run SET held_by = '{max_recipients}' WHERE state = 'held' AND why LIKE 'more than max\_recipients%';
UPDATE run SET held_by = '{balance}' WHERE state = 'held' AND why LIKE 'the balance does not hold%';
UPDATE run SET released = '{max_recipients}' WHERE state IN ('new', 'reading') AND why = 'released';
