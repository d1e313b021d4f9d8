UPDATE rule SET once_per = $2::text[], held_why = ''
FROM (SELECT id, held_why FROM rule WHERE name = $1::text FOR UPDATE) AS old
WHERE rule.id = old.id AND old.held_why <> ''
RETURNING rule.id, old.held_why
