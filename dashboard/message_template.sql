SELECT text FROM template_version WHERE ($1::text = '' OR template = $1::text) AND version = $2::text
