-- A rule of the configuration meets its row. $1 name, $2 SQL hash, $3 once_per, $4 schedule, $5 planned from.
-- A hold is only ever set here, `smschain accept` takes it back: of two processes with different configurations, the one
-- with the old one must not take it back.
INSERT INTO rule (name, sql_hash, once_per, schedule, planned_from, held_why)
VALUES ($1::text, $2::text, $3::text[], $4::text, $5::timestamptz,
  coalesce((SELECT format('a new rule with the SQL text of rule %s, whose messages it does not know', name)
            FROM rule WHERE sql_hash = $2::text AND name <> $1::text ORDER BY id LIMIT 1), ''))
ON CONFLICT (name) DO UPDATE SET
  sql_hash = EXCLUDED.sql_hash,
  planned_from = CASE WHEN rule.schedule IN ('', EXCLUDED.schedule) THEN rule.planned_from
                 ELSE greatest(rule.planned_from, EXCLUDED.planned_from) END,
  schedule = EXCLUDED.schedule,
  held_why = CASE WHEN rule.once_per = EXCLUDED.once_per THEN rule.held_why
             ELSE format('once_per has changed from [%s] to [%s]: all earlier messages would count as never sent',
                         array_to_string(rule.once_per, ', '), array_to_string(EXCLUDED.once_per, ', ')) END
RETURNING id, held_why
