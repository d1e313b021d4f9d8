-- $1 kind, $2 words: their numbers in that order; new words are entered.
SELECT word_id($1, w.word) FROM unnest($2::text[]) WITH ORDINALITY AS w (word, n) ORDER BY w.n
