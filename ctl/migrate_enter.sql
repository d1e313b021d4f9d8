INSERT INTO schema_migrations (number, name, checksum) VALUES ($1::int, $2::text, $3::text)
