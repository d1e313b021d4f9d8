SELECT id, held_why, schedule, seen_at, planned_from, array_to_string(once_per, ', ') FROM rule WHERE name = $1
