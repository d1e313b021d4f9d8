-- Messages of run $1 (0: of all runs of rule $2), from id $3 up to but not including $4 (within one day), the newest $5.
SELECT m.sms_id
FROM (SELECT r.id FROM run AS r WHERE r.id = $1::bigint
      UNION ALL
      SELECT r.id FROM run AS r JOIN rule AS u ON u.id = r.rule_id
      WHERE $1::bigint = 0 AND u.name = $2::text AND r.rows_new > 0
        AND r.started_at < (date '2020-01-01' + ($3::bigint >> 36)::int + 1)::timestamp AT TIME ZONE 'UTC'
        AND coalesce(r.ended_at, r.started_at + interval '1 day')
            >= (date '2020-01-01' + ($3::bigint >> 36)::int)::timestamp AT TIME ZONE 'UTC') AS r
CROSS JOIN LATERAL (
  SELECT i.sms_id FROM message_masked AS i
  WHERE i.run_id = r.id AND i.sms_id >= $3::bigint AND i.sms_id < $4::bigint
  ORDER BY i.sms_id DESC LIMIT $5::bigint) AS m
ORDER BY m.sms_id DESC
LIMIT $5::bigint
