-- One process at a time enters a rule's firings, so that they agree on which is the newest.
SELECT u.id, u.planned_from, u.held_why,
  (SELECT max(r.scheduled_at) FROM run r WHERE r.rule_id = u.id AND r.origin <> 'person') AS last_entered
FROM rule u WHERE u.name = $1::text FOR NO KEY UPDATE OF u
