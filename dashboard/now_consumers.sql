-- The batching consumers.
SELECT part, (figures->>'lag_ms')::bigint, (figures->>'waiting_steps')::bigint, (figures->>'flush_at')::bigint,
       (figures->>'flush_ms')::bigint, (figures->>'flush_steps')::bigint, (figures->>'database_away_ms')::bigint,
       coalesce(figures->>'broker', '')
FROM service
WHERE service = 'callback' AND part LIKE 'consumer %' AND updated_at > now() - interval '1 minute'
ORDER BY part
LIMIT 64
