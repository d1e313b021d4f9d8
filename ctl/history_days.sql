SELECT substring(c.relname FROM '[0-9]+$')::int
FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = 'message'::regclass
  AND substring(c.relname FROM '[0-9]+$')::int >= (now() AT TIME ZONE 'UTC')::date - date '2020-01-01' - $1::int
ORDER BY 1
