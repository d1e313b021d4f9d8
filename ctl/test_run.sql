-- $1 the rule's name among tests: its run of today.
SELECT standing_run($1::text, 'test')
