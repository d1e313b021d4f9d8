-- Rows that became no message, by reason; of the pass that counts.
SELECT k.kind, k.reason, count(*)
FROM run_skip AS k
WHERE k.run_id = $1 AND k.kind <> 'duplicate' AND k.pass = $2
GROUP BY k.kind, k.reason
ORDER BY count(*) DESC, k.reason
LIMIT 60
