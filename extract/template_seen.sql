INSERT INTO template_version (version, template, text) VALUES ($1::text, $2::text, $3::text)
ON CONFLICT (template, version) DO NOTHING
