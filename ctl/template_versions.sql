-- The versions of template $1 whose text is kept, the newest first.
SELECT version, text, seen_at FROM template_version WHERE template = $1::text ORDER BY seen_at DESC, version
