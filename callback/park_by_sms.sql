-- $1 sms_ids that were told of, $2 after this id: the steps that wait for a claim of theirs, a page
SELECT id, body FROM parked WHERE seq_sms_id = ANY ($1) AND id > $2 ORDER BY id LIMIT 5000
