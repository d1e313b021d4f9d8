SELECT number, scope, reason, since FROM suppression ORDER BY number, scope
