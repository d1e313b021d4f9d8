UPDATE rule SET held_why = $2::text WHERE name = $1::text RETURNING id
