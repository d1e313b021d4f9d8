-- $1 name, $2 until
INSERT INTO sweep (name, until) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET until = greatest(sweep.until, excluded.until)
