-- What was known of a run when its reading was stopped by max_recipients. $1 run, $2 pass, $3 planned
UPDATE run SET planned = $3::jsonb WHERE id = $1::bigint AND pass = $2::int AND state = 'held'
