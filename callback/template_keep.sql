-- The texts of template versions that nobody has kept yet. $1 versions, $2 templates, $3 files.
INSERT INTO template_version (version, template, text)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
ON CONFLICT (template, version) DO NOTHING
