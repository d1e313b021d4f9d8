UPDATE quarantine SET reason = $2::text, error = $3::text WHERE id = $1::bigint
