DELETE FROM suppression WHERE number = $1::bigint AND scope = $2::text RETURNING number
