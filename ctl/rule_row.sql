SELECT id, held_why FROM rule WHERE name = $1::text
