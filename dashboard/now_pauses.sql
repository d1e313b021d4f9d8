SELECT kind, scope, key, reason, by, since FROM control WHERE kind = 'pause' ORDER BY since LIMIT 50
