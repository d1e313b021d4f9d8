-- $1 after this id: all that wait and are not given up, a page
SELECT id, body FROM parked WHERE given_up_at IS NULL AND id > $1 ORDER BY id LIMIT 5000
