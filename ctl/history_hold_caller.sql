-- $1 the built-in rule of a caller, which may have been made in the lost time; $2 why it is held.
INSERT INTO rule (name, sql_hash, once_per, held_why) VALUES ($1::text, '', '{}', $2::text)
ON CONFLICT (name) DO UPDATE SET held_why = excluded.held_why
