-- $1 days that are kept
DELETE FROM stats_minute WHERE minute < now() - $1::int * interval '1 day'
