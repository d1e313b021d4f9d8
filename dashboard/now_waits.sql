-- What waits: for its time, for a key, or for a person. Counted up to a bound: 10,001 is "more than 10,000".
SELECT (SELECT count(*) FROM (SELECT FROM outbox WHERE published_at IS NULL AND due_at <= now() LIMIT 10001) AS o),
       (SELECT count(*) FROM (SELECT FROM outbox WHERE published_at IS NULL AND due_at > now() LIMIT 10001) AS o),
       (SELECT count(*) FROM (SELECT FROM parked WHERE given_up_at IS NULL LIMIT 10001) AS p),
       (SELECT count(*) FROM (SELECT FROM parked WHERE given_up_at IS NOT NULL LIMIT 10001) AS p),
       (SELECT count(*) FROM (SELECT FROM quarantine LIMIT 10001) AS q),
       (SELECT count(*) FROM (SELECT FROM dead WHERE state IN ('waiting', 'again') LIMIT 10001) AS d),
       (SELECT coalesce(sum(count), 0)::bigint FROM stats WHERE state = 20),
       (SELECT count(*) FROM run WHERE state = 'held'),
       (SELECT count(*) FROM (SELECT state, created_at FROM run ORDER BY id DESC LIMIT 400) AS r
        WHERE state = 'failed' AND created_at > now() - interval '1 day'),
       (SELECT count(*) FROM rule WHERE held_why <> ''),
       (SELECT coalesce(sum((figures->>'journal_backlog_bytes')::bigint), 0)::bigint FROM service
        WHERE updated_at > now() - interval '1 minute' AND figures ? 'journal_backlog_bytes' AND (service, part) = ('callback', 'intake'))
        + (SELECT coalesce(sum(b), 0)::bigint FROM (
             SELECT max((figures->>'journal_backlog_bytes')::bigint) AS b FROM service
             WHERE updated_at > now() - interval '1 minute' AND service = 'dispatch' GROUP BY host, pid) AS d)
