-- A person's yes to all that holds a run: recorded with who and when, and these holds do not hold it again. A run that
-- was read whole leaves as it is entered, nothing is read twice; another is read on. $1 run, $2 who.
WITH held AS MATERIALIZED (
  SELECT id, held_by, pass_complete AND cardinality(held_by) > 0 AND NOT held_by && '{max_recipients,balance}' AS whole
  FROM run WHERE id = $1::bigint AND state = 'held' FOR NO KEY UPDATE
)
UPDATE run SET state = CASE WHEN h.whole THEN 'read' ELSE 'new' END, publish = run.publish OR h.whole,
  released = (SELECT coalesce(array_agg(DISTINCT hold), '{}') FROM unnest(released || h.held_by) AS hold),
  wave = CASE WHEN 'wave' = ANY (h.held_by) THEN 2 ELSE wave END,
  held_by = '{}', why = 'released', released_by = $2::text, released_at = now()
FROM held h, rule u
WHERE run.id = h.id AND u.id = run.rule_id
RETURNING u.name, h.whole, run.rows_new, run.planned::text, run.wave < 2 AND run.wave_wait_ms IS NOT NULL AS waves, run.wave_first
