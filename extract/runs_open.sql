-- Runs to be read that nobody reads and nothing pauses. (Advisory locks of two ints have objsubid 2.)
SELECT r.id, u.name
FROM run r JOIN rule u ON u.id = r.rule_id
WHERE r.state IN ('new', 'reading')
  AND NOT EXISTS (SELECT FROM control k
                  WHERE k.kind = 'pause' AND (k.scope = 'all' OR (k.scope = 'rule' AND k.key = u.name)
                                              OR (k.scope = 'run' AND k.key = r.id::text)))
  AND NOT EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
                  WHERE l.locktype = 'advisory' AND l.classid = 1 AND l.objid::bigint = (r.id & 2147483647)
                    AND l.objsubid = 2 AND l.granted)
ORDER BY r.scheduled_at, r.id
LIMIT 256
