-- Processes that have said something in the last ten minutes, and when.
SELECT service, host, pid, extract(epoch FROM now() - max(updated_at))::bigint
FROM service
WHERE updated_at > now() - interval '10 minutes'
GROUP BY service, host, pid
ORDER BY service, host, pid
LIMIT 60
