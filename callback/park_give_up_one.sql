-- $1 id of a parked step that can never be applied
UPDATE parked SET given_up_at = now() WHERE id = $1
