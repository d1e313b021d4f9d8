-- Runs whose first wave has been sent, as the batching consumer was told: of that moment the wait is counted. As long as
-- its chunks wait here, are paused, or stand in a slow gateway's queue, nothing is decided. (Until the rest leaves, all
-- that `stats` knows of a run is of its first wave. States below 20 are not sent yet.)
UPDATE run SET wave_due_at = now() + wave_wait_ms * interval '1 millisecond'
WHERE state = 'read' AND publish AND wave = 1 AND wave_wait_ms IS NOT NULL AND wave_due_at IS NULL
  AND wave_first <= (SELECT coalesce(sum(s.count), 0) FROM stats s WHERE s.run_id = run.id AND s.state >= 20)
RETURNING id, wave_first, wave_due_at
