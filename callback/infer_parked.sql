-- $1 parked for so many ms at least, $2 after this id: a page of reports by id, with how many other ids wait for the same number
SELECT p.id, p.body, p.gateway, p.number, p.parked_at,
       (SELECT count(DISTINCT o.msg_id) FROM parked o
        WHERE o.gateway = p.gateway AND o.number = p.number AND o.given_up_at IS NULL AND o.msg_id <> p.msg_id)
FROM parked p
WHERE p.step = 102 AND p.seq_sms_id IS NULL AND p.msg_id IS NOT NULL AND p.number IS NOT NULL AND p.given_up_at IS NULL
  AND p.parked_at <= now() - $1 * interval '1 millisecond' AND p.id > $2
ORDER BY p.id LIMIT 1000
