-- The rest of a run leaves, or the run is held: decided by its first wave, once, whoever comes first. Counted are messages with
-- a final status (delivered and unknown; undelivered, rejected, expired); what was not sent (stale, suppressed, cancelled,
-- not rendered) is no part of the wave; at least half of what was sent must have a final status.
WITH due AS MATERIALIZED (
  SELECT id, wave_first, wave_limit, wave_wait_ms FROM run
  WHERE state = 'read' AND publish AND wave = 1 AND wave_wait_ms IS NOT NULL AND wave_due_at <= now()
  ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
), told AS MATERIALIZED (
  SELECT d.id, d.wave_limit,
    d.wave_first - coalesce(sum(s.count) FILTER (WHERE s.state BETWEEN 40 AND 43), 0) AS sent,
    coalesce(sum(s.count) FILTER (WHERE s.state >= 50), 0) AS final,
    coalesce(sum(s.count) FILTER (WHERE s.state IN (60, 70, 80)), 0) AS bad
  FROM due d LEFT JOIN stats s ON s.run_id = d.id GROUP BY d.id, d.wave_limit, d.wave_first
), judged AS MATERIALIZED (
  SELECT id, sent, final, bad, CASE
    WHEN sent <= 0 THEN 'of the first wave nothing was sent'
    WHEN final * 2 < sent THEN format('of the first wave only %s of %s messages have a final status (at least half are needed)', final, sent)
    WHEN bad * 1000000 > final * wave_limit
    THEN format('of the first wave %s of %s messages with a final status are undelivered, rejected or expired (%s %%, waves.max_undelivered is %s %%)',
                bad, final, round(bad * 100.0 / final, 1), trim_scale(wave_limit / 10000.0))
    ELSE '' END AS why
  FROM told
)
UPDATE run SET
  wave = CASE WHEN j.why = '' THEN 2 ELSE 1 END,
  state = CASE WHEN j.why = '' THEN 'read' ELSE 'held' END,
  publish = j.why = '',
  held_by = CASE WHEN j.why = '' THEN held_by ELSE '{wave}' END,
  why = CASE WHEN j.why = '' THEN run.why ELSE format('%s; the rest waits; smschain release %s lets it go, smschain cancel %s ends it', j.why, run.id, run.id) END
FROM judged j, rule u
WHERE run.id = j.id AND u.id = run.rule_id
RETURNING run.id, u.name, j.why, j.sent, j.final, j.bad
