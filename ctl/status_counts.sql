SELECT (SELECT coalesce(sum(count), 0) FROM stats WHERE state = 20),
       (SELECT count(*) FROM run WHERE state = 'held'),
       (SELECT count(*) FROM run WHERE state = 'failed' AND created_at > now() - interval '1 day'),
       (SELECT count(*) FROM parked WHERE given_up_at IS NULL),
       (SELECT count(*) FROM parked WHERE given_up_at IS NOT NULL),
       (SELECT count(*) FROM quarantine WHERE received_at > now() - interval '1 day'),
       (SELECT count(*) FROM outbox WHERE published_at IS NULL AND due_at <= now()),
       (SELECT count(*) FROM outbox WHERE published_at IS NULL AND due_at > now()),
       (SELECT count(*) FROM rule WHERE held_why <> ''),
       (SELECT count(*) FROM dead WHERE state IN ('waiting', 'again')),
       (SELECT coalesce(sum(rows_new), 0) FROM run WHERE origin = 'test' AND scheduled_at >= date_trunc('day', now(), 'UTC')),
       (SELECT coalesce(sum(s.count), 0) FROM stats AS s JOIN word AS w ON w.id = s.reason
        WHERE s.day = (now() AT TIME ZONE 'UTC')::date AND w.kind = 'reason' AND starts_with(w.word, 'partial:'))
