UPDATE database_history SET generation = generation + 1, accepted_at = now(), system_identifier = DEFAULT, timeline = DEFAULT
