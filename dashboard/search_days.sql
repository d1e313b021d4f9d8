-- Days on which messages may stand that a walk looks for, the newest first. $1 states (null: any), $2 gateway (0 any), $3 run
-- (0 any), $4 rule ('' any), $5 $6 the first and the last day. `stats` knows of all but the queued; those are of runs that have
-- more messages than it knows of.
WITH runs AS MATERIALIZED (
  SELECT r.id, r.started_at, r.ended_at, r.rows_new FROM run AS r JOIN rule AS u ON u.id = r.rule_id
  WHERE ($3::bigint = 0 OR r.id = $3::bigint) AND ($4::text = '' OR u.name = $4::text) AND r.rows_new > 0)
SELECT s.day - date '2020-01-01' AS day
FROM stats AS s
WHERE s.day BETWEEN $5::date AND $6::date AND ($1::int[] IS NULL OR s.state = ANY ($1::int[])) AND ($2::int = 0 OR s.gateway = $2::int)
  AND (($3::bigint = 0 AND $4::text = '') OR s.run_id IN (SELECT id FROM runs))
GROUP BY s.day
HAVING sum(s.count) > 0
UNION
SELECT d::date - date '2020-01-01'
FROM runs AS r
LEFT JOIN (SELECT run_id, sum(count) AS told FROM stats GROUP BY run_id) AS t ON t.run_id = r.id
CROSS JOIN generate_series(greatest((r.started_at AT TIME ZONE 'UTC')::date, $5::date)::timestamp,
                           least((coalesce(r.ended_at, r.started_at + interval '1 day') AT TIME ZONE 'UTC')::date, $6::date)::timestamp,
                           interval '1 day') AS d
WHERE ($1::int[] IS NULL OR 0 = ANY ($1::int[])) AND $2::int = 0 AND r.rows_new > coalesce(t.told, 0)
ORDER BY 1 DESC
