-- Each gateway over all its dispatchers; those that stand by count for nothing but their number.
SELECT d.part, count(*), count(*) FILTER (WHERE d.state = 'standing_by'),
       (array_agg(d.state ORDER BY d.state = 'standing_by', d.state = 'sending' DESC, d.state))[1],
       (array_agg(d.breaker ORDER BY d.state = 'standing_by', d.breaker = 'closed', d.breaker))[1],
       sum(d.rate) FILTER (WHERE d.state <> 'standing_by'), sum(d.rate_limit) FILTER (WHERE d.state <> 'standing_by'),
       sum(d.used), sum(d.room) FILTER (WHERE d.state <> 'standing_by'), max(d.oldest),
       sum(d.submits), sum(d.accepted), sum(d.refused), sum(d.throttled), sum(d.doubt), sum(d.handed), max(d.age)
FROM (
  SELECT part, coalesce(figures->>'state', '') AS state, coalesce(figures->>'breaker', '') AS breaker,
         (figures->>'rate')::bigint AS rate, (figures->>'rate_limit')::bigint AS rate_limit,
         (figures->>'window_used')::bigint AS used, (figures->>'window')::bigint AS room,
         (figures->>'oldest_unanswered_ms')::bigint AS oldest, (figures->>'submits')::bigint AS submits,
         (figures->>'accepted')::bigint AS accepted, (figures->>'refused')::bigint AS refused,
         (figures->>'throttled')::bigint AS throttled, (figures->>'in_doubt')::bigint AS doubt,
         (figures->>'handed_over')::bigint AS handed, extract(epoch FROM now() - updated_at)::bigint AS age
  FROM service
  WHERE service = 'dispatch' AND part <> '' AND updated_at > now() - interval '1 minute'
) AS d
GROUP BY d.part
ORDER BY d.part
