-- $1 the built-in rule: its run of today.
SELECT standing_run($1::text, 'inbound')
