-- What waits for a person or a key (up to a bound: these are looked at every few seconds), and whole days of partitions ahead
SELECT (SELECT count(*) FROM (SELECT FROM parked WHERE given_up_at IS NULL LIMIT 100000) p),
       (SELECT count(*) FROM (SELECT FROM parked WHERE given_up_at IS NOT NULL LIMIT 100000) p),
       (SELECT count(*) FROM (SELECT FROM quarantine LIMIT 100000) q),
       coalesce((SELECT max(substring(c.relname FROM 9)::int) FROM pg_class c
                 WHERE c.relkind = 'r' AND c.relname ~ '^message_[0-9]+$'), 0)
         - ((now() AT TIME ZONE 'UTC')::date - date '2020-01-01'),
       (SELECT count(*) FROM (SELECT FROM inbound WHERE forward_due_at IS NOT NULL LIMIT 100000) f),
       (SELECT count(*) FROM (SELECT FROM inbound_part WHERE inbound IS NULL LIMIT 100000) p)
