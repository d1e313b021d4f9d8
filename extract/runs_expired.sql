-- Runs that broke off or were held with messages that nobody may send any more (an hour is for clocks that differ): their
-- chunks leave now, and each message ends at the claim, as stale, instead of standing as queued for ever. So does the rest
-- of a run whose first wave has not been decided about by then.
UPDATE run r SET publish = true, wave = 2
WHERE ((r.state IN ('failed', 'held', 'skipped') AND NOT r.publish) OR (r.state = 'read' AND r.wave = 1 AND r.wave_wait_ms IS NOT NULL))
  AND r.rows_new > 0
  AND NOT EXISTS (SELECT FROM message m WHERE m.run_id = r.id AND m.valid_until > now() - interval '1 hour')
RETURNING r.id
