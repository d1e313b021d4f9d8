-- $1 the number's digits and what may have stood in their place, $2 the number, $3 one rule (all its runs) or '' (the last run
-- of each), $4 since so many ms, $5 at most
SELECT run_id, rule, scheduled_at, state, why, pass_complete, sms_id, skips, known
FROM runs_of($1::text[], $2::bigint, $3::text, $4::bigint, $5::bigint)
