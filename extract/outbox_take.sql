-- The next chunks of the bulk lane that may leave: $1 so many, $2 so many bytes (the first one always).
-- A chunk of a run leaves while the run may publish, in its wave, and neither all, nor its rule, nor itself is paused.
-- The instant lane's statement (outbox_take_instant.sql) is made of this one by the build, with = for <>: there is an index for it.
SELECT id, target, body, (extract(epoch FROM now() - due_at) * 1000000)::bigint AS waited_us FROM (
  SELECT id, target, body, due_at, octet_length(body) AS bytes,
    sum(octet_length(body)) OVER (ORDER BY due_at, id ROWS UNBOUNDED PRECEDING) AS so_far
  FROM (
    SELECT o.id, o.target, o.body, o.due_at FROM outbox o
    WHERE o.published_at IS NULL AND right(o.target, 8) <> '.instant' AND o.due_at <= now()
      AND (o.run_id IS NULL OR EXISTS (
        SELECT FROM run r JOIN rule u ON u.id = r.rule_id
        WHERE r.id = o.run_id AND r.publish AND o.wave <= r.wave AND NOT EXISTS (
          SELECT FROM control k WHERE k.kind = 'pause' AND (k.scope = 'all' OR (k.scope = 'rule' AND k.key = u.name)
                                                            OR (k.scope = 'run' AND k.key = r.id::text)))))
    ORDER BY o.due_at, o.id LIMIT $1::int FOR UPDATE SKIP LOCKED
  ) AS due
) AS weighed
WHERE so_far - bytes <= $2::bigint
ORDER BY so_far
