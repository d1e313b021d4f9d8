SELECT service, host, pid, part, figures, extract(epoch FROM now() - updated_at)::bigint
FROM service
WHERE updated_at > now() - interval '1 minute'
ORDER BY service, part, host, pid
