-- $1 run, $2 state, $3 why ('' keeps it), $4 may its chunks leave: then all of them, the rest of its waves, too
UPDATE run SET state = $2::text, why = CASE WHEN $3::text = '' THEN why ELSE $3::text END, publish = $4::boolean,
  wave = CASE WHEN $4::boolean THEN 2 ELSE wave END, ended_at = now()
WHERE id = $1::bigint AND state IN ('new', 'reading')
