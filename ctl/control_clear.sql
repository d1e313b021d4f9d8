DELETE FROM control WHERE kind = 'pause' AND scope = $1::text AND key = $2::text RETURNING key
