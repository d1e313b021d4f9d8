-- $1 the number's digits and what may have stood in their place, $2 the number, $3 a rule ('' any), the newest $4
SELECT run_id, rule, scheduled_at, kind, reason, first_run, sms_id, state, same_number
FROM skips_of($1::text[], $2::bigint, $3::text, $4::bigint)
