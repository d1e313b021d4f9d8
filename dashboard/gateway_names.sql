SELECT id, word FROM word WHERE kind = 'gateway' ORDER BY word LIMIT 256
