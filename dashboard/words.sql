-- $1 ids
SELECT id, word FROM word WHERE id = ANY ($1::int[])
