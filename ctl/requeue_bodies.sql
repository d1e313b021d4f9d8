-- Bodies that may hold messages of run $1: its own chunks, and texts that came back to wait (their records name the run).
SELECT id
FROM outbox
WHERE run_id = $1::bigint
   OR (run_id IS NULL AND target ~ '^sms\.(render|dispatch)\.' AND strpos(body, '"run":' || $1::bigint || ',') > 0)
ORDER BY published_at IS NOT NULL, id DESC
