SELECT word_id('gateway', $1)
