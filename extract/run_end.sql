-- The whole result has been read: what earlier passes entered and this one did not see is gone, their skips do not count.
WITH own AS MATERIALIZED (
  SELECT id FROM run WHERE id = $1::bigint AND pass = $2::int AND state = 'reading' FOR NO KEY UPDATE
), forgotten AS (
  DELETE FROM run_skip s USING own WHERE $2::int > 1 AND s.run_id = own.id AND s.pass < $2::int
)
UPDATE run SET pass_complete = true,
  rows_gone = CASE WHEN $2::int = 1 THEN 0
    ELSE (SELECT count(*) FROM dedupe d WHERE d.run_id = $1::bigint AND d.pass < $2::int) END
FROM own WHERE run.id = own.id
RETURNING rows_read, rows_gone, rows_new, rows_seen, rows_duplicate, rows_invalid, rows_suppressed
