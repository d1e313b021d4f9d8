-- $1 ids of steps that are applied
DELETE FROM parked WHERE id = ANY ($1)
