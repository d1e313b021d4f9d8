-- What became of the row with key $2 in run $1: its message, or why it became none.
SELECT d.sms_id, s.kind, s.reason
FROM (SELECT) AS one
LEFT JOIN dedupe d ON d.key = $2::uuid AND d.run_id = $1::bigint
LEFT JOIN LATERAL (SELECT kind, reason FROM run_skip WHERE run_id = $1::bigint AND key = $2::uuid ORDER BY pass DESC LIMIT 1) AS s ON true
