-- All that decides what may be done with a run now. $1 run, $2 once_per of its rule as configured.
SELECT r.state, r.why, r.scheduled_at, r.pass, u.name, u.held_why, u.once_per = $2::text[] AS once_per_known,
  EXISTS (SELECT FROM control k WHERE k.kind = 'cancel' AND k.scope = 'run' AND k.key = r.id::text) AS cancelled,
  EXISTS (SELECT FROM control k
          WHERE k.kind = 'pause' AND (k.scope = 'all' OR (k.scope = 'rule' AND k.key = u.name)
                                      OR (k.scope = 'run' AND k.key = r.id::text))) AS paused,
  array_to_string(r.released, ' ') AS released, r.task_id IS NOT NULL AS of_task
FROM run r JOIN rule u ON u.id = r.rule_id
WHERE r.id = $1::bigint
