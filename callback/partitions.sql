-- $1 days ahead
SELECT ensure_partitions($1)
