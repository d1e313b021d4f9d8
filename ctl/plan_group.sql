-- What group_enter.sql would answer to these rows, and nothing is entered. $1 keys, $2 numbers, $3 is the template
-- marketing. One row for each that would make no message: its place in the arrays, and why it is suppressed; null: its
-- key is known.
WITH input AS MATERIALIZED (
  SELECT i.key, i.number, i.n FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS i (key, number, n)
), stopped AS MATERIALIZED (
  SELECT i.n, min(s.reason) AS reason
  FROM input i JOIN suppression s ON s.number = i.number AND (s.scope = 'all' OR $3::boolean)
  GROUP BY i.n
), fresh AS MATERIALIZED (
  SELECT DISTINCT ON (key) key, n FROM input WHERE (n IN (SELECT n FROM stopped)) IS NOT TRUE ORDER BY key, n
), known AS MATERIALIZED (
  SELECT f.n FROM fresh f JOIN dedupe d ON d.key = f.key
), entered AS (
  INSERT INTO pg_temp.plan_key (key)
  SELECT key FROM fresh WHERE (n IN (SELECT n FROM known)) IS NOT TRUE ORDER BY key
  ON CONFLICT (key) DO NOTHING
  RETURNING key
), made AS MATERIALIZED (
  SELECT n FROM fresh WHERE (key IN (SELECT key FROM entered)) IS TRUE
)
SELECT i.n, s.reason FROM input i LEFT JOIN stopped s ON s.n = i.n WHERE (i.n IN (SELECT n FROM made)) IS NOT TRUE ORDER BY i.n
