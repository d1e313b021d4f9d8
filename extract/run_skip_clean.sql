-- $1 days: rows that became no message are forgotten with the claims of their time; a few at a time.
DELETE FROM run_skip WHERE ctid IN (
  SELECT s.ctid FROM run r JOIN run_skip s ON s.run_id = r.id
  WHERE coalesce(r.ended_at, r.created_at) < now() - $1::bigint * interval '1 day' AND r.state NOT IN ('new', 'reading') LIMIT 5000)
