-- The end of a run that has been read whole: what it sends and costs, and what holds it. $1 run, $2 state, $3 why ('' keeps it),
-- $4 may its chunks leave, $5 planned, $6 what holds it; $7 has the rule waves, $8 their wait, $9 their limit. Where the first
-- wave is all there is, nothing has to be waited for.
UPDATE run SET state = $2::text, why = CASE WHEN $3::text = '' THEN why ELSE $3::text END, publish = $4::boolean,
  planned = $5::jsonb, held_by = $6::text[],
  wave_wait_ms = CASE WHEN $7::boolean THEN $8::bigint END, wave_limit = CASE WHEN $7::boolean THEN $9::bigint END,
  wave = CASE WHEN NOT $7::boolean OR wave_first >= rows_new THEN 2 ELSE wave END, ended_at = now()
WHERE id = $1::bigint AND state = 'reading'
