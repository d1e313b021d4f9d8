-- Earlier runs of this rule that broke off after they had entered messages: those messages' keys are taken, so only the
-- same run can still send them. It is read again beside this one. $1 this run, $2 how old they may be (valid_for, ms).
UPDATE run SET state = 'new', why = 'tried again beside run ' || $1::bigint
WHERE rule_id = (SELECT rule_id FROM run WHERE id = $1::bigint) AND id <> $1::bigint AND state = 'failed'
  AND rows_new > 0 AND NOT publish AND scheduled_at > now() - $2::bigint * interval '1 millisecond'
RETURNING id
