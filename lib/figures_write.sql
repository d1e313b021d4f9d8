-- $1 service, $2 host, $3 pid, $4 part, $5 figures. Rows of processes long gone leave on the way.
WITH gone AS (
  DELETE FROM service AS s
  WHERE s.updated_at < now() - interval '1 day' AND (s.service, s.host, s.pid, s.part) <> ($1, $2, $3, $4)
)
INSERT INTO service (service, host, pid, part, figures, updated_at)
VALUES ($1, $2, $3, $4, $5::jsonb, now())
ON CONFLICT (service, host, pid, part) DO UPDATE SET figures = excluded.figures, updated_at = excluded.updated_at
